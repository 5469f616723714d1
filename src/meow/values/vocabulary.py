"""Small tables of words, by language: what asks for what, what carries no fact, months, numerals, yes and no.

Written without accents and in lower case where they are compared with folded words.
"""

from __future__ import annotations

ASKED = {
    "en": {
        "person": r"who|whom|whose",
        "place": r"where",
        "date": r"when",
        "number": r"how (?:many|much|long|old|far|tall|high|deep|big|large|heavy|fast|hot|cold|wide|often)",
        "manner": r"how|why",
    },
    "de": {
        "person": r"wer|wen|wem|wessen",
        "place": r"wo|woher|wohin",
        "date": r"wann",
        "number": r"wie (?:viele?|lange?|alt|hoch|weit|tief|gross|schwer|schnell|oft)|wieviele?",
        "manner": r"wie|warum|weshalb|wodurch|wieso",
    },
    "fr": {"person": r"qui", "place": r"ou", "date": r"quand", "number": r"combien", "manner": r"comment|pourquoi"},
    "es": {
        "person": r"quien(?:es)?",
        "place": r"donde|adonde",
        "date": r"cuando",
        "number": r"cuant[oa]s?",
        "manner": r"como|por que",
    },
    "it": {"person": r"chi", "place": r"dove", "date": r"quando", "number": r"quant[oaie]", "manner": r"come|perche"},
    "pt": {
        "person": r"quem",
        "place": r"onde|aonde",
        "date": r"quando",
        "number": r"quant[oa]s?",
        "manner": r"como|por que",
    },
    "nl": {
        "person": r"wie|wiens",
        "place": r"waar",
        "date": r"wanneer",
        "number": r"hoeveel|hoe (?:lang|oud|hoog|ver|diep|groot)",
        "manner": r"hoe|waarom",
    },
    "ru": {
        "person": r"кто|кого|кому|кем|чей|чья|чьё|чьи",
        "place": r"где|куда|откуда",
        "date": r"когда",
        "number": r"сколько",
        "manner": r"как|почему|зачем",
    },
    "zh": {
        "person": r"谁|誰",
        "place": r"哪里|哪儿|哪裡|何处|什么地方",
        "date": r"什么时候|何时|哪(?:一)?年|几年",
        "number": r"多少|几|多(?:大|高|长|远|深|久)",
        "manner": r"怎么|怎样|为什么|如何",
    },
    "ja": {
        "person": r"誰|だれ",
        "place": r"どこ",
        "date": r"いつ|何年|何月",
        "number": r"いくつ|いくら|何(?:人|個|本|歳|回|キロ|メートル)|どれくらい",
        "manner": r"なぜ|どうやって|どうして",
    },
    "ar": {"person": r"من(?= \w)", "place": r"أين|اين", "date": r"متى", "number": r"كم", "manner": r"كيف|لماذا"},
}
"""Question words by language and by the kind that they ask for. Arabic `من` asks for a person where it opens."""

WHICH = (
    "which|what|name|list|mention|welche[rsmn]?|was|quel(?:le)?s?|que(?= \\w)|cual(?:es)?|qual[ei]?|welke?|wat"
    "|как(?:ой|ая|ое|ие|ом|ого|ую|их)|что"
)
"""What asks for the thing that the next noun names."""

HEADS = {
    "date": """year date day month century decade era period jahr datum tag jahrhundert annee siecle ano fecha siglo
        anno giorno secolo data seculo jaar eeuw dag год году дата веке""",
    "number": """number temperature percentage percent distance height length speed population age price amount sum
        root zahl anzahl temperatur entfernung hohe lange nombre numero cantidad distancia altura distanza aantal число
        количество""",
    "place": """capital city town village country place birthplace hometown continent state region province location
        island cities countries places stadt land ort kontinent ville pays lieu ciudad pais lugar continente citta paese
        luogo cidade stad plaats город городе страна стране континент континенте""",
    "person": """author writer novelist poet playwright journalist painter artist sculptor architect composer musician
        singer actor actress director player scientist physicist chemist biologist mathematician astronomer inventor
        engineer doctor physician philosopher explorer astronaut president minister chancellor king queen emperor
        empress prince princess pope saint bishop general leader politician founder teacher man woman person boy girl
        father mother brother sister son daughter husband wife mentor hero detective authors scientists""",
    "manner": """impact influence effect role significance importance reception style approach process summary reason
        inspiration extent kind type themes theme elements element quality qualities perspective perspectives message
        challenge challenges advice characteristics feature features""",
}
"""Nouns after "which" or "what", folded, by the kind that they ask for."""

ARTICLES = frozenset("the a an".split())
"""Of English: off wherever they stand."""
OTHER_ARTICLES = frozenset("le la les el los las il lo gli l der das o os as het un une uno una ein eine".split())
"""Of other languages: off where they open a name."""

CONNECTORS = frozenset(
    """of the de la le les du des del della delle di da das do dos van von der den zu y e et und and & al el bin ibn
    ter in for to""".split()
)
"""What stands inside a name between its words."""

MONTHS = (
    "january jan januar janvier enero gennaio janeiro januari января январь 1月",
    "february feb februar fevrier febrero febbraio fevereiro februari февраля февраль 2月",
    "march mar marz mars marzo marco maart марта март 3月",
    "april apr avril abril aprile апреля апрель 4月",
    "may mai mayo maggio maio mei мая май 5月",
    "june jun juni juin junio giugno junho июня июнь 6月",
    "july jul juli juillet julio luglio julho июля июль 7月",
    "august aug aout agosto augustus августа август 8月",
    "september sep sept septembre septiembre settembre setembro сентября сентябрь 9月",
    "october oct oktober octobre octubre ottobre outubro октября октябрь 10月",
    "november nov novembre noviembre novembro ноября ноябрь 11月",
    "december dec dezember decembre diciembre dicembre dezembro декабря декабрь 12月",
)
"""Names of the twelve months, folded."""

ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen""".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
ORDINALS = """zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
    fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth""".split()
TENTHS = "twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth".split()

UNITS = {
    "km": "kilometer kilometers kilometre kilometres",
    "m": "meter meters metre metres",
    "cm": "centimeter centimeters centimetre centimetres",
    "mm": "millimeter millimeters millimetre millimetres",
    "kg": "kilogram kilograms kilo kilos",
    "g": "gram grams",
    "mi": "mile miles",
    "ft": "foot feet",
    "degrees": "degree",
    "percent": "pct",
    "dollars": "dollar usd",
    "euros": "euro eur",
    "pounds": "pound gbp",
}
"""Units by their short name."""

YES = frozenset("yes yeah yep yup oui si sim ja da да 是 是的 はい نعم".split())
NO = frozenset("no nope non nein nao nee нет 不 不是 いいえ لا".split())
NEGATIONS = frozenset(
    "not never none neither nor cannot without nobody nothing nowhere no t nicht kein keine pas jamais nunca не".split()
)

SCRIPTS = {
    "ja": "[\u3040-\u30ff]",
    "zh": "[\u4e00-\u9fff]",
    "ko": "[\uac00-\ud7af]",
    "uk": "[іїєґ]",
    "ru": "[\u0400-\u04ff]",
    "fa": "[پچژگ]",
    "ar": "[\u0600-\u06ff]",
    "he": "[\u0590-\u05ff]",
    "hi": "[\u0900-\u097f]",
    "el": "[\u0370-\u03ff]",
}
"""Languages that their script gives away, the first that matches; folded text."""

LANGUAGES = {
    tongue: frozenset(listed.split())
    for tongue, listed in {
        "de": "der die das ist wer wo was wann wie welche welcher welches in von und hat wurde war den dem ein eine im",
        "fr": "le la les est qui que quel quelle ou quand comment combien de du des et a ete dans une un en au d l",
        "es": "el la los las es quien que cual donde cuando como cuanto cuantos de del y en fue un una se por su",
        "it": "il lo la i gli e chi che qual quale dove quando come quanto quanti di del della nel in un una si ha",
        "pt": "o a os as e quem que qual onde quando como quanto quantos de do da em foi um uma se por no na",
        "nl": "de het is wie wat welke waar wanneer hoe hoeveel van en in een werd was op te naar zijn",
    }.items()
}
"""Function words by language, folded; English has those of `meow.text`."""
SNOWBALL = {
    "de": "german",
    "fr": "french",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
    "nl": "dutch",
    "ru": "russian",
}
"""Names of the stemmers of nltk."""

BEFORE = r"[是在于於由被为為有]"
BEHIND = r"[的了]|です|でした|입니다|이에요|이다|는|은|를|을"
"""Of Chinese, Japanese and Korean: what stands before or behind a value without being part of it."""
