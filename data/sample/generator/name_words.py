"""The words from which names of people, towns, companies and articles are put together.

No row stands here; a row takes pairs such as ``("Lena", "Krämer")`` or ``("Alpine", "desk lamp")``.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = _words(
    """Ada Adrian Agnes Alban Alma Amir Anton Astrid Aurel Beate Benno Bianca Björn Bruno Carla Cedric Chloé Clara
    Claude Dana Dario David Edith Elena Elias Emil Esther Fabian Farah Felix Fiona Florent Frieda Gerda Gilles
    Greta Gustav Hanna Hedwig Helen Henri Hugo Ida Igor Ines Irma Ivo Jana Jasper Joanna Jonas Judith Jürgen
    Karim Katja Kilian Klara Lars Laura Lena Leon Lidia Louis Lucie Magda Marc Marie Marta Milan Mira Moritz
    Nadia Nils Nora Olaf Olga Oscar Paula Pierre Quentin Rana Ralf Rebecca René Robert Rosa Ruben Samir Sandra
    Sofia Stefan Søren Tamara Theo Tilda Tobias Ulla Vera Victor Walter Wanda Xenia Yara Zoé"""
)

LAST = _words(
    """Abel Adler Albrecht Andersen Arnaud Bachmann Bailey Barker Baumann Becker Béraud Berger Bishop Blanc Bowen
    Brandt Brunner Caron Carter Cole Conrad Cooper Crane Dahl Delmas Dietrich Dixon Dubois Duval Ebner Ellis
    Engel Falk Faure Fischer Foster Frank Garnier Gerber Gibson Girard Graf Grant Haas Hagen Hansen Harper
    Hartmann Hébert Hoffmann Holm Holt Hunter Ivers Jansen Jensen Keller Kern Klein Kowalski Krämer Krause
    Lambert Lang Larsen Lefèvre Lenz Lindner Lorenz Lowe Lund Maier Marchand Marsh Mercier Meyer Moreau Nash
    Neumann Nowak Olsen Ott Owens Palmer Pauli Perrin Peters Pfeiffer Porter Prévost Quinn Rask Reuter Richter
    Robin Roux Sander Sauer Schröder Seidel Shaw Sommer Stark Stone Tanner Thiel Thomsen Turner Ullmann Vidal
    Vogel Wagner Walsh Weber West Winter Wolf Young Zeller Zimmer"""
)

TOWN_STEMS = _words(
    """Ash Black Brack Brook Carl Crow Dun East Elm Fern Glen Green Hart High Kings Lang Long Maple Mill Moor New
    North Oak Pen Raven Red Rose Sand South Spring Stan Stone Thorn West Whit Wild Win Wood"""
)

TOWN_ENDS = _words(
    """bridge brook bury den field ford gate ham haven hurst land ley mere mouth port side stead ton well wick
    worth"""
)

TOWN_STEMS_DE = _words(
    """Alten Birken Buchen Eichen Erlen Falken Gold Grün Hohen Kirch Linden Mühl Neuen Ober Rosen Schön Stein
    Tannen Unter Wald Weiden"""
)

TOWN_ENDS_DE = _words("""bach berg born brück burg dorf feld hain hausen heim rode stadt stein tal""")

TOWN_STEMS_FR = _words(
    """Beau Bel Bois Char Clair Font Franc Grand Haut Long Marche Mire Mont Rive Roche Val Vaux Vert"""
)

TOWN_ENDS_FR = _words("""bourg champ court fontaine fort lac marais pont pré roche roy val""")

COMPANY_STEMS = _words(
    """Albrook Amberly Arvento Balthar Belmora Brightwater Calderon Cantara Carvel Corvina Dalmore Dornbach
    Eastmark Elvira Fairlane Fenwick Fontane Garrow Gladstone Halden Harwick Hollis Ibera Jorvik Kaltbrunn
    Kestner Kingsley Lachenal Larkin Lindqvist Lomond Marlow Medina Merola Montclair Norvik Oakridge Ostrava
    Pallas Pemberton Quillan Radler Ravensby Rosario Saltmarsh Selwyn Silvera Stavanger Talbot Tessin Tornado
    Ulmer Valera Verdano Waldhaus Westermann Wexford Yarrow Zandvoort Zillertal"""
)

COMPANY_TRADES = _words(
    """Bakery Bikes Books Carpets Cheese Clinics Coffee Events Farms Foods Freight Furniture Gardens Glass Homes
    Hotels Kitchens Labs Lighting Logistics Motors Optics Paper Pumps Records Solar Sports Steel Systems
    Textiles Tools Toys Travel Trucks Water Wool"""
)

LINES = _words(
    """Alpine Atlas Aurora Breeze Cobalt Comet Compact Coral Delta Ember Falcon Fjord Granite Harbour Horizon
    Indigo Juniper Kestrel Lumen Lynx Maple Meridian Nimbus Nordic Onyx Opal Orbit Pebble Pioneer Quartz Ranger
    Rapid Sierra Solara Tempo Terra Velo Vista Willow Zephyr"""
)

ARTICLES = (
    "desk lamp", "kettle", "toaster", "office chair", "bookshelf", "drill", "rain jacket", "backpack",
    "water bottle", "coffee grinder", "headset", "keyboard", "bicycle pump", "garden hose", "tent",
    "sleeping bag", "wall clock", "blender", "steam iron", "vacuum cleaner", "fan heater", "radio", "tool box",
    "ladder", "mirror", "side table", "floor lamp", "frying pan", "lunch box", "umbrella", "doormat",
    "bread knife", "teapot", "paint roller", "wheelbarrow", "extension lead", "phone stand", "monitor arm",
    "paper shredder", "label printer", "hand mixer", "rice cooker", "camping stove", "picnic blanket",
    "suitcase", "travel mug", "yoga mat", "wool blanket", "key safe", "door bell", "smoke alarm", "air filter",
    "shower head", "towel rail", "curtain rod", "laundry basket", "shoe rack", "plant pot", "bird feeder",
    "letter box",
)  # fmt: skip

DAYS = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip

DAYS_DE = (
    "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag",
)  # fmt: skip

DAYS_FR = (
    "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche",
)  # fmt: skip

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip

MONTHS_DE = (
    "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
    "Dezember",
)  # fmt: skip

MONTHS_FR = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre",
    "novembre", "décembre",
)  # fmt: skip

COLOURS = (
    "green", "red", "blue", "black", "white", "yellow", "grey", "brown", "orange", "purple", "silver", "beige",
)  # fmt: skip

COLOURS_DE = (
    "Grün", "Rot", "Blau", "Schwarz", "Weiß", "Gelb", "Grau", "Braun", "Orange", "Lila", "Silber", "Beige",
)  # fmt: skip

COLOURS_FR = (
    "vert", "rouge", "bleu", "noir", "blanc", "jaune", "gris", "brun", "orange", "violet", "argent", "beige",
)  # fmt: skip
