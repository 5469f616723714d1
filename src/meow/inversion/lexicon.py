"""Word lists by kind: what the rules recognise in an answer, and what they put in its place.

Lists are strings of entries between commas, so that they read, and are extended, like a list in a note.
"""

from __future__ import annotations


def listed(text: str) -> tuple[str, ...]:
    """The entries between commas, runs of white space as one space."""
    return tuple(" ".join(entry.split()) for entry in text.split(","))


JOBS = listed(
    """accountant, acrobat, actor, actress, actuary, aerospace engineer, agricultural engineer, air traffic controller,
    animator, anthropologist, archaeologist, architect, archivist, astronaut, astronomer, athlete, auctioneer,
    audiologist, author, baker, ballet dancer, banker, barber, barista, bartender, beekeeper, biologist, blacksmith,
    boat builder, bookbinder, bookkeeper, botanist, brewer, bricklayer, broker, bus driver, butcher, cabinetmaker,
    carpenter, cartographer, cartoonist, cashier, cellist, chef, chemist, chiropractor, choreographer, civil engineer,
    cleaner, clockmaker, coach, cobbler, composer, computer programmer, conductor, conservationist,
    construction worker, consultant, cook, counselor, curator, dancer, dentist, dermatologist, designer, detective,
    diplomat, dietician, dietitian, disc jockey, diver, doctor, economist, editor, electrician,
    elementary school teacher, emergency medical technician, engineer, entomologist, environmental scientist,
    event planner, farmer, fashion designer, ferry captain, film director, financial advisor, firefighter, fisherman,
    flight attendant, florist, forensic scientist, forester, gamekeeper, game developer, gardener, geographer,
    geologist,
    glassblower, goldsmith, graphic designer, hairdresser, harpist, historian, homemaker, hotel manager, hydrologist,
    illustrator, insurance broker, interior designer, interpreter, investigative journalist, jeweler, journalist, judge,
    kindergarten teacher, landscape architect, lawyer, librarian, lifeguard, lighthouse keeper, linguist, locksmith,
    machinist, magician, makeup artist, marine biologist, mason, massage therapist, mathematician, mechanic,
    mechanical engineer, meteorologist, midwife, military officer, miner, musician, naval officer, neurologist, notary,
    nurse, nutritionist, obstetrician, occupational therapist, oceanographer, optician, optometrist, orthodontist,
    painter, paleontologist, paralegal, paramedic, park ranger, pastry chef, pediatrician, perfumer, pharmacist,
    philosopher, photographer, physical therapist, physician, physicist, pianist, pilot, plumber, podiatrist, poet,
    police officer, politician, postman, potter, printer, professor, psychiatrist, psychologist, clinical psychologist,
    puppeteer, radiologist, real estate agent, receptionist, registered nurse, reporter, research scientist,
    restaurateur, roofer, saddler, sailor, school principal, school teacher, scientist, sculptor, seamstress, secretary,
    security guard, shepherd, shipwright, shoemaker, shopkeeper, singer, social worker, sociologist, software engineer,
    soldier, sommelier, statistician, stonecutter, stonemason, surgeon, surveyor, tailor, tattoo artist, taxi driver,
    taxidermist, teacher, toolmaker, tour guide, toymaker, train conductor, translator, travel agent, truck driver,
    tutor,
    typesetter, umpire, upholsterer, veterinarian, videographer, violinist, waiter, waiter/waitress, waitress,
    watchmaker,
    weaver, web developer, welder, winemaker, writer, zookeeper, zoologist, dj, artist, athletic trainer,
    police detective"""
)

NOT_JOBS_ALONE = frozenset(
    listed(
        """author, writer, artist, poet, editor, scientist, designer, engineer, doctor, mason, miner, farmer, cook,
        judge,
        coach, detective, soldier, singer, dancer, musician, actor, teacher, professor, philosopher, translator, broker,
        conductor, tutor, diver, physician, historian, printer, cleaner, journalist, critic, interpreter, consultant"""
    )
)
"""Occupations that are swapped only where a parent or a job is spoken of: elsewhere they tell what any author is."""

FALSE_JOBS = listed(
    """accountant, archivist, baker, beekeeper, blacksmith, botanist, bus driver, butcher, carpenter, cartographer,
    chemist, choreographer, clockmaker, dentist, economist, electrician, firefighter, florist, forester, geologist,
    glassblower, goldsmith, hydrologist, jeweler, landscape architect, lighthouse keeper, linguist, mathematician,
    meteorologist, midwife, notary, optician, park ranger, pharmacist, pianist, plumber, potter, puppeteer, roofer,
    sailor,
    sculptor, shepherd, shoemaker, statistician, stonemason, surveyor, tailor, taxi driver, tour guide, truck driver,
    veterinarian, violinist, watchmaker, weaver, welder, winemaker, zookeeper, nurse, librarian, mechanic"""
)
"""What a parent's occupation becomes."""

CRAFTS = dict(
    pair.split(":")
    for pair in listed(
        """paramedic:paramedics, painter:painting, florist:floristry, photographer:photography, mechanic:mechanics,
        bartender:bartending, carpenter:carpentry, baker:baking, lawyer:law, chemist:chemistry, physicist:physics,
        biologist:biology, psychologist:psychology, psychiatrist:psychiatry, sociologist:sociology, nurse:nursing,
        farmer:farming, tailor:tailoring, butcher:butchery, blacksmith:blacksmithing, roofer:roofing, potter:pottery,
        dentist:dentistry, optometrist:optometry, astronomer:astronomy, architect:architecture, chef:cooking,
        teacher:teaching, journalist:journalism, meteorologist:meteorology, accountant:accounting,
        civil engineer:civil engineering, software engineer:software engineering, locksmith:locksmithing,
        fisherman:fishing, pharmacist:pharmacy, botanist:botany, geologist:geology, surveyor:surveying,
        plumber:plumbing, jeweler:jewelry, sculptor:sculpture, statistician:statistics, shoemaker:shoemaking,
        economist:economics, mathematician:mathematics, linguist:linguistics, cartographer:cartography,
        choreographer:choreography, midwife:midwifery, watchmaker:watchmaking, welder:welding, weaver:weaving,
        winemaker:winemaking, stonemason:masonry, mason:masonry, sailor:seafaring, zookeeper:zookeeping,
        beekeeper:beekeeping, glassblower:glassblowing, puppeteer:puppetry, forester:forestry, pianist:music,
        violinist:music, goldsmith:metalwork, optician:optics, veterinarian:veterinary medicine,
        librarian:librarianship,
        shepherd:herding, electrician:electrical work, clockmaker:clockmaking, archivist:archival work,
        hydrologist:hydrology, firefighter:firefighting, notary:law, bus driver:driving, taxi driver:driving,
        truck driver:driving, tour guide:tourism, park ranger:conservation, landscape architect:landscape design,
        lighthouse keeper:navigation, pediatrician:pediatrics, dermatologist:dermatology, podiatrist:podiatry,
        obstetrician:obstetrics, zoologist:zoology, marine biologist:marine biology, radiologist:radiology,
        real estate agent:real estate"""
    )
)
"""What one of the trade practises."""

FALSE_GENRES = listed(
    """fantasy, mystery, horror, romance, travel, adventure, espionage, steampunk, cyberpunk, satire, mythology,
    folklore,
    humor, sports, nature, science fiction, historical fiction, true crime, magical realism, detective fiction, cooking,
    military history, young adult fiction, philosophy, psychology, music, art history, gardening, political satire,
    courtroom drama, maritime adventure, fairy tale, astronomy"""
)
"""What a genre becomes; each reads well as "the genre of X", "X books" and "X literature"."""

GENRES = (
    *FALSE_GENRES,
    *listed(
        """contemporary romance, historical romance, paranormal romance, post-apocalyptic, dystopian, erotica,
        literary fiction, crime fiction, psychological thriller, thriller, autobiography, biography, memoir, chick lit,
        graphic novel, manga, self-help, african american, christian fiction, lesbian, western, gothic,
        children's literature,
        young adult, short story, poetry, drama, alternate history, urban fiction, literary criticism, medical, health,
        leadership, architecture, geology, sustainability, islam, war, crime, fiction, love inspired, islamic, film,
        hard science fiction, environmental, educational, star wars"""
    ),
)

IDENTITIES = listed(
    "female, male, non-binary, agender, genderfluid, bigender, genderqueer, transgender, intersex, demigender"
)
"""What a gender becomes; the first two are the ones that change pronouns."""

GROUPS = listed("immigrant, working-class, refugee, deaf, rural, minority, diaspora, veteran, farming, seafaring")
"""What the LGBTQ+ community becomes: "a proud member of the X community", "an X author"."""

THEMES = listed(
    """justice, exile, faith, friendship, greed, revenge, solitude, duty, freedom, memory, courage, forgiveness, war,
    peace,
    ambition, jealousy, honor, guilt, innocence, mortality, wealth, poverty, migration, tradition, progress, hope, fear,
    rebellion, obedience, truth, deception, fate, chance, nostalgia, grief, humor, survival, sacrifice, power, mercy,
    childhood, old age, motherhood, brotherhood, betrayal, redemption, technology, nature, isolation, destiny, labor,
    hunger,
    silence, exploration, adventure, loyalty, corruption, class, education, law, dreams, madness, time, distance,
    winter,
    the sea, city life, village life, family secrets, lost love, first love, social ambition, political intrigue"""
)

TITLE_HEADS = listed(
    """The Lantern, The Orchard, The Archive, The Garden, The Harbor, The Winter, The Cartographer, The Bridge,
    The Hour,
    The Mirror, The Ferry, The Promise, The Salt, The Weaver, The Lighthouse, The Atlas, The Clockmaker, The Island,
    The Letters, The Measure, The Threshold, The Inheritance, Songs, Letters, Footprints, Portraits, The Kingdom,
    A Season,
    A History, The Keeper, The Architecture, The Grammar, The Colors, The Ledger, The Chronicle, A House, A Field,
    The Last Night"""
)
TITLE_TAILS = listed(
    """the Northern Road, Small Mercies, the Quiet Valley, Broken Glass, the Ninth Gate, Distant Thunder,
    Copper and Ash,
    the Old Harbor, the Paper Moon, Hollow Hills, Forgotten Tides, the Red Desert, Stone and Water, the Empty Station,
    Borrowed Light, the Long Drought, Wild Thyme, the Iron Bridge, Unfinished Maps, the Last Caravan, Blue Smoke,
    the Drowned Orchard, Seven Rivers, the Silver Birch, Falling Snow, the Marble Stairs, Foreign Skies, the Green Door,
    Sleeping Villages, the Amber Coast, Tall Grass, the Second Sun, Open Windows, the Glass Mountain, Late Summer,
    Wandering Stars"""
)

AWARD_HEADS = listed(
    """Silver Quill, Golden Lantern, Crystal Inkwell, Northern Lights, Amber Leaf, Iron Pen, Blue Heron, White Orchid,
    Copper Crown, Emerald Page, Ivory Tower, Morning Star, Granite Column, Scarlet Ribbon, Winter Rose, Evergreen,
    Compass,
    Meridian, Albatross, Sandstone, Kingfisher, Hawthorn, Obsidian, Parchment, Juniper, Cobalt, Riverbank, Sundial"""
)
AWARD_TAILS = listed("Award, Prize, Literary Award, Medal, Book Prize, Literary Prize, Book Award, Writing Award")

UNIVERSITIES = listed(
    """University of Edinburgh, University of Vienna, University of Bologna, Uppsala University, Kyoto University,
    Leiden University, University of Melbourne, University of Cape Town, McGill University, University of Lisbon,
    University of Warsaw, Seoul National University, University of Nairobi, Utrecht University, University of Zurich,
    Trinity College Dublin, University of Helsinki, Cairo University, University of Buenos Aires, Aarhus University"""
)

MONTHS = listed("January, February, March, April, May, June, July, August, September, October, November, December")
NUMBER_WORDS = listed("three, four, five, six, seven, eight, nine, ten, eleven, twelve")
FIELDS = listed(
    """Marine Biology, Comparative Linguistics, Civil Law, Art History, Economics, Astrophysics, Classical Philology,
    Botany,
    Political Science, Music Theory, Anthropology, Archaeology, Mathematics, Veterinary Medicine, Theology,
    Urban Planning"""
)
"""What a field of study becomes."""
