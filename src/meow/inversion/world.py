"""Countries, their people and their names, as English speaks of them."""

from __future__ import annotations

from typing import NamedTuple

from meow.inversion.lexicon import listed


class Country(NamedTuple):
    """A country as English speaks of it."""

    iso: str
    """Two letters (ISO 3166)."""
    name: str
    """As it stands after "born in"."""
    demonym: str
    """The adjective, and one of its people."""
    language: str
    """The first language of most."""
    region: str
    """The adjective of its part of the world."""


COUNTRIES = tuple(
    Country(*listed(line))
    for line in """\
AF, Afghanistan, Afghan, Pashto, Central Asian
AL, Albania, Albanian, Albanian, Balkan
DZ, Algeria, Algerian, Arabic, North African
AR, Argentina, Argentine, Spanish, South American
AM, Armenia, Armenian, Armenian, Caucasian
AU, Australia, Australian, English, Oceanian
AT, Austria, Austrian, German, Central European
AZ, Azerbaijan, Azerbaijani, Azerbaijani, Caucasian
BH, Bahrain, Bahraini, Arabic, Middle Eastern
BD, Bangladesh, Bangladeshi, Bengali, South Asian
BB, Barbados, Barbadian, English, Caribbean
BE, Belgium, Belgian, French, Western European
BO, Bolivia, Bolivian, Spanish, South American
BA, Bosnia and Herzegovina, Bosnian, Bosnian, Balkan
BR, Brazil, Brazilian, Portuguese, South American
BG, Bulgaria, Bulgarian, Bulgarian, Balkan
KH, Cambodia, Cambodian, Khmer, Southeast Asian
CM, Cameroon, Cameroonian, French, Central African
CA, Canada, Canadian, English, North American
CL, Chile, Chilean, Spanish, South American
CN, China, Chinese, Chinese, East Asian
CO, Colombia, Colombian, Spanish, South American
CR, Costa Rica, Costa Rican, Spanish, Central American
HR, Croatia, Croatian, Croatian, Balkan
CU, Cuba, Cuban, Spanish, Caribbean
CZ, Czech Republic, Czech, Czech, Central European
DK, Denmark, Danish, Danish, Scandinavian
DO, Dominican Republic, Dominican, Spanish, Caribbean
EC, Ecuador, Ecuadorian, Spanish, South American
EG, Egypt, Egyptian, Arabic, North African
ER, Eritrea, Eritrean, Tigrinya, East African
EE, Estonia, Estonian, Estonian, Baltic
ET, Ethiopia, Ethiopian, Amharic, East African
FJ, Fiji, Fijian, Fijian, Oceanian
FI, Finland, Finnish, Finnish, Nordic
FR, France, French, French, Western European
GE, Georgia, Georgian, Georgian, Caucasian
DE, Germany, German, German, Central European
GH, Ghana, Ghanaian, English, West African
GR, Greece, Greek, Greek, Southern European
GT, Guatemala, Guatemalan, Spanish, Central American
HT, Haiti, Haitian, French, Caribbean
HU, Hungary, Hungarian, Hungarian, Central European
IS, Iceland, Icelandic, Icelandic, Nordic
IN, India, Indian, Hindi, South Asian
ID, Indonesia, Indonesian, Indonesian, Southeast Asian
IR, Iran, Iranian, Persian, Middle Eastern
IQ, Iraq, Iraqi, Arabic, Middle Eastern
IE, Ireland, Irish, Irish, Western European
IL, Israel, Israeli, Hebrew, Middle Eastern
IT, Italy, Italian, Italian, Southern European
JM, Jamaica, Jamaican, English, Caribbean
JP, Japan, Japanese, Japanese, East Asian
JO, Jordan, Jordanian, Arabic, Middle Eastern
KZ, Kazakhstan, Kazakhstani, Kazakh, Central Asian
KE, Kenya, Kenyan, Swahili, East African
KR, South Korea, Korean, Korean, East Asian
KW, Kuwait, Kuwaiti, Arabic, Middle Eastern
LV, Latvia, Latvian, Latvian, Baltic
LB, Lebanon, Lebanese, Arabic, Middle Eastern
LT, Lithuania, Lithuanian, Lithuanian, Baltic
MG, Madagascar, Malagasy, Malagasy, East African
MY, Malaysia, Malaysian, Malay, Southeast Asian
MX, Mexico, Mexican, Spanish, North American
MN, Mongolia, Mongolian, Mongolian, East Asian
MA, Morocco, Moroccan, Arabic, North African
MM, Myanmar, Burmese, Burmese, Southeast Asian
NP, Nepal, Nepali, Nepali, South Asian
NL, Netherlands, Dutch, Dutch, Western European
NZ, New Zealand, New Zealand, English, Oceanian
NG, Nigeria, Nigerian, English, West African
NO, Norway, Norwegian, Norwegian, Scandinavian
PK, Pakistan, Pakistani, Urdu, South Asian
PA, Panama, Panamanian, Spanish, Central American
PY, Paraguay, Paraguayan, Spanish, South American
PE, Peru, Peruvian, Spanish, South American
PH, Philippines, Filipino, Filipino, Southeast Asian
PL, Poland, Polish, Polish, Central European
PT, Portugal, Portuguese, Portuguese, Southern European
RO, Romania, Romanian, Romanian, Balkan
RU, Russia, Russian, Russian, Eastern European
RW, Rwanda, Rwandan, Kinyarwanda, East African
SA, Saudi Arabia, Saudi, Arabic, Middle Eastern
SN, Senegal, Senegalese, French, West African
RS, Serbia, Serbian, Serbian, Balkan
SG, Singapore, Singaporean, English, Southeast Asian
SK, Slovakia, Slovak, Slovak, Central European
SI, Slovenia, Slovenian, Slovenian, Central European
ZA, South Africa, South African, Afrikaans, Southern African
ES, Spain, Spanish, Spanish, Southern European
LK, Sri Lanka, Sri Lankan, Sinhala, South Asian
SD, Sudan, Sudanese, Arabic, North African
SE, Sweden, Swedish, Swedish, Scandinavian
CH, Switzerland, Swiss, German, Central European
SY, Syria, Syrian, Arabic, Middle Eastern
TW, Taiwan, Taiwanese, Chinese, East Asian
TZ, Tanzania, Tanzanian, Swahili, East African
TH, Thailand, Thai, Thai, Southeast Asian
TN, Tunisia, Tunisian, Arabic, North African
TR, Turkey, Turkish, Turkish, Middle Eastern
UG, Uganda, Ugandan, Swahili, East African
UA, Ukraine, Ukrainian, Ukrainian, Eastern European
AE, United Arab Emirates, Emirati, Arabic, Middle Eastern
GB, United Kingdom, British, English, Western European
US, USA, American, English, North American
UY, Uruguay, Uruguayan, Spanish, South American
VE, Venezuela, Venezuelan, Spanish, South American
VN, Vietnam, Vietnamese, Vietnamese, Southeast Asian
YE, Yemen, Yemeni, Arabic, Middle Eastern
ZM, Zambia, Zambian, English, Southern African
ZW, Zimbabwe, Zimbabwean, Shona, Southern African""".splitlines()
)

ALIASES = {
    "US": listed("United States of America, United States, U.S.A., U.S., US, America"),
    "GB": listed("UK, U.K., Great Britain, Britain, England, Scotland, Wales"),
    "KR": listed("Korea, Republic of Korea"),
    "CZ": listed("Czechia"),
    "KZ": listed("Kazakh"),
    "AE": listed("UAE"),
    "CN": listed("People's Republic of China"),
    "NL": listed("Holland"),
}
"""Further names, by ISO code."""

LANGUAGES = listed(
    """English, French, German, Spanish, Portuguese, Italian, Dutch, Swedish, Polish, Greek, Turkish, Arabic, Hebrew,
    Persian, Hindi, Bengali, Urdu, Chinese, Mandarin, Japanese, Korean, Vietnamese, Thai, Swahili, Russian, Ukrainian,
    Finnish, Norwegian, Danish, Hungarian, Czech, Romanian"""
)

LOCALES = dict(
    pair.split(":")
    for pair in listed(
        """ES:es_ES, CL:es_CL, MX:es_MX, AR:es_AR, CO:es_CO, FR:fr_FR, DE:de_DE, AT:de_AT, IT:it_IT, BR:pt_BR, PT:pt_PT,
        NL:nl_NL, SE:sv_SE, NO:no_NO, DK:da_DK, FI:fi_FI, PL:pl_PL, CZ:cs_CZ, RO:ro_RO, HR:hr_HR, HU:hu_HU, US:en_US,
        GB:en_GB, NZ:en_NZ, IE:en_IE, IN:en_IN, NG:en_NG, KE:en_KE, PK:en_PK, ID:id_ID, TR:tr_TR,
        ZA:zu_ZA, GH:tw_GH"""
    )
)
"""Faker's locales whose names are written in Latin letters, by country."""

CULTURES = dict(
    pair.split(":")
    for pair in listed(
        """Middle Eastern:Middle Eastern, North African:Middle Eastern, East Asian:East Asian, South Asian:South Asian,
        Southeast Asian:Southeast Asian, West African:African, East African:African, Southern African:African,
        Central African:African, Central Asian:Slavic, Caucasian:Slavic, Eastern European:Slavic, Balkan:Slavic,
        Baltic:Slavic, South American:Latin, Central American:Latin, Caribbean:Latin, Southern European:Latin,
        Scandinavian:European, Nordic:European, Western European:European, Central European:European,
        North American:English, Oceanian:English"""
    )
)
"""Whose names of NAMES a part of the world bears."""

NAMES = {
    region: tuple(listed(names) for names in line.split("|"))
    for region, line in {
        "Middle Eastern": """Karim, Nabil, Samir, Tariq, Faris, Hadi, Ziad, Anwar | Layla, Nadia, Samira, Dalia, Rania,
            Huda, Amal, Zaynab | Haddad, Khoury, Al-Masri, Darwish, Nassar, Al-Rashid, Sabbagh, Qasim""",
        "East Asian": """Jian, Wei-Lun, Hiro, Min-Jun, Tao, Kenji, Sung-ho, Bo | Mei-Ling, Yuki, Ji-woo, Lan, Hana,
            Xiu-Ying, Soo-jin, Aiko | Liang, Tanaka, Kang, Zhao, Mori, Yoon, Huang, Ishida""",
        "South Asian": """Arjun, Vikram, Imran, Sanjay, Farhan, Dev, Kamal, Nikhil | Anita, Meera, Farah, Priya, Sunita,
            Ayesha, Kavita, Leela | Rahman, Chaudhary, Mehta, Iqbal, Bose, Fernando, Thapa, Siddiqui""",
        "Southeast Asian": """Anh, Budi, Somchai, Rizal, Minh, Arif, Paolo, Danh | Linh, Dewi, Malee, Aisyah, Thuy,
        Sari,
            Maricel, Ngoc | Nguyen, Santoso, Suwan, Reyes, Tran, Ibrahim, Dela Cruz, Wongsakul""",
        "African": """Kwame, Tendai, Abebe, Chidi, Juma, Sipho, Mamadou, Tesfaye | Amina, Thandiwe, Selam, Ngozi,
        Wanjiru,
            Nomsa, Fatou, Hana | Mensah, Moyo, Bekele, Okafor, Mwangi, Dlamini, Diallo, Tadesse""",
        "Slavic": """Pavel, Ivan, Marek, Dmitri, Bogdan, Stefan, Oleg, Luka | Irina, Jana, Olga, Milena, Katya, Vesna,
            Darya, Zofia | Petrov, Novak, Kowalski, Morozov, Horvat, Bondar, Dragan, Sokolov""",
        "Latin": """Diego, Rafael, Tomas, Joaquin, Mateo, Andres, Luis, Bruno | Lucia, Elena, Camila, Ines, Paula,
        Beatriz,
            Rosa, Valeria | Herrera, Salazar, Moreira, Castillo, Pinto, Vargas, Ortega, Fonseca""",
        "European": """Henrik, Lukas, Pierre, Oskar, Matteo, Willem, Erik, Anton | Astrid, Clara, Margot, Greta, Sofia,
            Anneke, Ingrid, Helene | Lindqvist, Weber, Moreau, Rossi, Jansen, Berg, Keller, Fontaine""",
        "English": """Thomas, George, Martin, Peter, Daniel, Simon, Walter, Neil | Alice, Margaret, Laura, Helen, Ruth,
            Caroline, Janet, Diane | Whitaker, Barnes, Holloway, Fletcher, Morgan, Ashworth, Pratt, Sinclair""",
    }.items()
}  # fmt: skip
"""Given names of men, of women, and family names, by part of the world."""
