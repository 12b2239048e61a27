"""The small dictionary of the phrases: nouns, verbs, adjectives, places and times in three languages.

Each line of a table is one entry, such as ``lamp lamps | Lampe f Lampen | lampe f lampes``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Noun:
    """A thing, with its plural and its gender in German and French."""

    en: str
    en_many: str
    de: str
    de_gender: str
    de_many: str
    fr: str
    fr_gender: str
    fr_many: str


@dataclass(frozen=True)
class Verb:
    """A verb with the forms that the sentence frames need: present, past or participle, infinitive."""

    en: tuple[str, str, str]
    de: tuple[str, str, str]
    fr: tuple[str, str, str]


@dataclass(frozen=True)
class Adjective:
    """An adjective: English, German stem, and the four French forms."""

    en: str
    de: str
    fr: tuple[str, str, str, str]


_GOODS = """
chair chairs|Stuhl m Stühle|chaise f chaises;table tables|Tisch m Tische|table f tables
lamp lamps|Lampe f Lampen|lampe f lampes;cupboard cupboards|Schrank m Schränke|armoire f armoires
shelf shelves|Regal n Regale|étagère f étagères;carpet carpets|Teppich m Teppiche|tapis m tapis
mirror mirrors|Spiegel m Spiegel|miroir m miroirs;crate crates|Kiste f Kisten|caisse f caisses
bottle bottles|Flasche f Flaschen|bouteille f bouteilles;cup cups|Tasse f Tassen|tasse f tasses
plate plates|Teller m Teller|assiette f assiettes;knife knives|Messer n Messer|couteau m couteaux
fork forks|Gabel f Gabeln|fourchette f fourchettes;pan pans|Pfanne f Pfannen|poêle f poêles
kettle kettles|Wasserkocher m Wasserkocher|bouilloire f bouilloires;clock clocks|Uhr f Uhren|horloge f horloges
phone phones|Telefon n Telefone|téléphone m téléphones;keyboard keyboards|Tastatur f Tastaturen|clavier m claviers
screen screens|Bildschirm m Bildschirme|écran m écrans;printer printers|Drucker m Drucker|imprimante f imprimantes
cable cables|Kabel n Kabel|câble m câbles;battery batteries|Batterie f Batterien|pile f piles
charger chargers|Ladegerät n Ladegeräte|chargeur m chargeurs;camera cameras|Kamera f Kameras|caméra f caméras
suitcase suitcases|Koffer m Koffer|valise f valises;bag bags|Tasche f Taschen|sac m sacs
umbrella umbrellas|Regenschirm m Regenschirme|parapluie m parapluies;jacket jackets|Jacke f Jacken|veste f vestes
coat coats|Mantel m Mäntel|manteau m manteaux;shirt shirts|Hemd n Hemden|chemise f chemises
glove gloves|Handschuh m Handschuhe|gant m gants;hat hats|Hut m Hüte|chapeau m chapeaux
scarf scarves|Schal m Schals|écharpe f écharpes;bicycle bicycles|Fahrrad n Fahrräder|vélo m vélos
wheel wheels|Rad n Räder|roue f roues;tyre tyres|Reifen m Reifen|pneu m pneus
engine engines|Motor m Motoren|moteur m moteurs;pump pumps|Pumpe f Pumpen|pompe f pompes
drill drills|Bohrmaschine f Bohrmaschinen|perceuse f perceuses;hammer hammers|Hammer m Hämmer|marteau m marteaux
saw saws|Säge f Sägen|scie f scies;ladder ladders|Leiter f Leitern|échelle f échelles
key keys|Schlüssel m Schlüssel|clé f clés;lock locks|Schloss n Schlösser|serrure f serrures
door doors|Tür f Türen|porte f portes;window windows|Fenster n Fenster|fenêtre f fenêtres
bed beds|Bett n Betten|lit m lits;mattress mattresses|Matratze f Matratzen|matelas m matelas
blanket blankets|Decke f Decken|couverture f couvertures;pillow pillows|Kissen n Kissen|oreiller m oreillers
towel towels|Handtuch n Handtücher|serviette f serviettes;notebook notebooks|Heft n Hefte|cahier m cahiers
pen pens|Stift m Stifte|stylo m stylos;folder folders|Ordner m Ordner|classeur m classeurs
envelope envelopes|Umschlag m Umschläge|enveloppe f enveloppes;book books|Buch n Bücher|livre m livres
map maps|Karte f Karten|carte f cartes;basket baskets|Korb m Körbe|panier m paniers
bucket buckets|Eimer m Eimer|seau m seaux;hose hoses|Schlauch m Schläuche|tuyau m tuyaux
radio radios|Radio n Radios|radio f radios;fan fans|Ventilator m Ventilatoren|ventilateur m ventilateurs
oven ovens|Ofen m Öfen|four m fours;filter filters|Filter m Filter|filtre m filtres
glass glasses|Glas n Gläser|verre m verres;candle candles|Kerze f Kerzen|bougie f bougies
tent tents|Zelt n Zelte|tente f tentes;bench benches|Bank f Bänke|banc m bancs
"""
_PAPERS = """
invoice invoices|Rechnung f Rechnungen|facture f factures;contract contracts|Vertrag m Verträge|contrat m contrats
offer offers|Angebot n Angebote|offre f offres;letter letters|Brief m Briefe|lettre f lettres
catalogue catalogues|Katalog m Kataloge|catalogue m catalogues;receipt receipts|Quittung f Quittungen|reçu m reçus
list lists|Liste f Listen|liste f listes;report reports|Bericht m Berichte|rapport m rapports
form forms|Formular n Formulare|formulaire m formulaires;plan plans|Plan m Pläne|plan m plans
photo photos|Foto n Fotos|photo f photos;order orders|Bestellung f Bestellungen|commande f commandes
poster posters|Plakat n Plakate|affiche f affiches;manual manuals|Handbuch n Handbücher|manuel m manuels
brochure brochures|Broschüre f Broschüren|brochure f brochures;label labels|Etikett n Etiketten|étiquette f étiquettes
"""
_PEOPLE = """
customer customers|Kunde m Kunden|client m clients;technician technicians|Techniker m Techniker|technicien m techniciens
neighbour neighbours|Nachbar m Nachbarn|voisin m voisins;driver drivers|Fahrer m Fahrer|chauffeur m chauffeurs
colleague colleagues|Kollegin f Kolleginnen|collègue f collègues;baker bakers|Bäcker m Bäcker|boulanger m boulangers
teacher teachers|Lehrerin f Lehrerinnen|enseignante f enseignantes;nurse nurses|Pflegerin f Pflegerinnen|infirmière f infirmières
buyer buyers|Einkäufer m Einkäufer|acheteur m acheteurs;gardener gardeners|Gärtner m Gärtner|jardinier m jardiniers
director directors|Direktorin f Direktorinnen|directrice f directrices;seller sellers|Verkäuferin f Verkäuferinnen|vendeuse f vendeuses
assistant assistants|Assistent m Assistenten|assistant m assistants;cook cooks|Köchin f Köchinnen|cuisinière f cuisinières
painter painters|Maler m Maler|peintre m peintres;engineer engineers|Ingenieurin f Ingenieurinnen|ingénieure f ingénieures
student students|Studentin f Studentinnen|étudiante f étudiantes;tenant tenants|Mieter m Mieter|locataire m locataires
mechanic mechanics|Mechaniker m Mechaniker|mécanicien m mécaniciens;visitor visitors|Besucher m Besucher|visiteur m visiteurs
"""  # noqa: E501  (an entry in three languages is easier to check on one line)
_GOODS_VERBS = """
buys bought buy|kauft gekauft kaufen|achète acheté acheter;orders ordered order|bestellt bestellt bestellen|commande commandé commander
sells sold sell|verkauft verkauft verkaufen|vend vendu vendre;rents rented rent|mietet gemietet mieten|loue loué louer
cleans cleaned clean|reinigt gereinigt reinigen|nettoie nettoyé nettoyer;tests tested test|testet getestet testen|teste testé tester
packs packed pack|verpackt verpackt verpacken|emballe emballé emballer;delivers delivered deliver|liefert geliefert liefern|livre livré livrer
carries carried carry|trägt getragen tragen|porte porté porter;weighs weighed weigh|wiegt gewogen wiegen|pèse pesé peser
stores stored store|lagert gelagert lagern|stocke stocké stocker;replaces replaced replace|ersetzt ersetzt ersetzen|remplace remplacé remplacer
repairs repaired repair|repariert repariert reparieren|répare réparé réparer;measures measured measure|misst gemessen messen|mesure mesuré mesurer
"""  # noqa: E501
_ANY_VERBS = """
checks checked check|prüft geprüft prüfen|vérifie vérifié vérifier;finds found find|findet gefunden finden|trouve trouvé trouver
loses lost lose|verliert verloren verlieren|perd perdu perdre;forgets forgot forget|vergisst vergessen vergessen|oublie oublié oublier
shows showed show|zeigt gezeigt zeigen|montre montré montrer;takes took take|nimmt genommen nehmen|prend pris prendre
chooses chose choose|wählt gewählt wählen|choisit choisi choisir;keeps kept keep|behält behalten behalten|garde gardé garder
photographs photographed photograph|fotografiert fotografiert fotografieren|photographie photographié photographier
"""  # noqa: E501
_PAPER_VERBS = """
reads read read|liest gelesen lesen|lit lu lire;writes wrote write|schreibt geschrieben schreiben|écrit écrit écrire
signs signed sign|unterschreibt unterschrieben unterschreiben|signe signé signer;prints printed print|druckt gedruckt drucken|imprime imprimé imprimer
copies copied copy|kopiert kopiert kopieren|copie copié copier;corrects corrected correct|korrigiert korrigiert korrigieren|corrige corrigé corriger
translates translated translate|übersetzt übersetzt übersetzen|traduit traduit traduire
confirms confirmed confirm|bestätigt bestätigt bestätigen|confirme confirmé confirmer
"""  # noqa: E501
_GIVING_VERBS = """
sends sent send|schickt geschickt schicken|envoie envoyé envoyer;shows showed show|zeigt gezeigt zeigen|montre montré montrer
brings brought bring|bringt gebracht bringen|apporte apporté apporter;sells sold sell|verkauft verkauft verkaufen|vend vendu vendre
lends lent lend|leiht geliehen leihen|prête prêté prêter
"""  # noqa: E501
_ADJECTIVES = """
green|grün|vert verte verts vertes;red|rot|rouge rouge rouges rouges;blue|blau|bleu bleue bleus bleues
black|schwarz|noir noire noirs noires;white|weiß|blanc blanche blancs blanches;grey|grau|gris grise gris grises
yellow|gelb|jaune jaune jaunes jaunes;brown|braun|brun brune bruns brunes;heavy|schwer|lourd lourde lourds lourdes
light|leicht|léger légère légers légères;modern|modern|moderne moderne modernes modernes
faulty|defekt|défectueux défectueuse défectueux défectueuses;sturdy|stabil|solide solide solides solides
practical|praktisch|pratique pratique pratiques pratiques;simple|einfach|simple simple simples simples
elegant|elegant|élégant élégante élégants élégantes;clean|sauber|propre propre propres propres
"""
_STATES = """
ready|fertig|prêt prête prêts prêtes;too old|zu alt|trop_vieux trop_vieille trop_vieux trop_vieilles
too expensive|zu teuer|trop_cher trop_chère trop_chers trop_chères;sold out|ausverkauft|épuisé épuisée épuisés épuisées
too small|zu klein|trop_petit trop_petite trop_petits trop_petites;dirty|schmutzig|sale sale sales sales
too heavy|zu schwer|trop_lourd trop_lourde trop_lourds trop_lourdes;broken|kaputt|cassé cassée cassés cassées
still new|noch neu|encore_neuf encore_neuve encore_neufs encore_neuves
available|verfügbar|disponible disponible disponibles disponibles
"""

PLACES = tuple(
    (line.split("|")[0], line.split("|")[1], line.split("|")[2])
    for line in """in the warehouse|im Lager|dans l'entrepôt
in the shop|im Laden|dans le magasin
in the office|im Büro|au bureau
at the market|auf dem Markt|au marché
at the station|am Bahnhof|à la gare
in the cellar|im Keller|à la cave
in the kitchen|in der Küche|dans la cuisine
in the garden|im Garten|dans le jardin
in the workshop|in der Werkstatt|dans l'atelier
in the museum|im Museum|au musée
in the hotel|im Hotel|à l'hôtel
at the airport|am Flughafen|à l'aéroport
at school|in der Schule|à l'école
at the harbour|am Hafen|au port
in the library|in der Bibliothek|à la bibliothèque
in the hospital|im Krankenhaus|à l'hôpital""".splitlines()
)
NUMBERS = (
    ("two", "zwei", "deux"), ("three", "drei", "trois"), ("four", "vier", "quatre"), ("five", "fünf", "cinq"),
    ("six", "sechs", "six"), ("seven", "sieben", "sept"), ("eight", "acht", "huit"), ("nine", "neun", "neuf"),
    ("ten", "zehn", "dix"), ("twelve", "zwölf", "douze"), ("fifteen", "fünfzehn", "quinze"),
    ("twenty", "zwanzig", "vingt"),
)  # fmt: skip


def _entries(table: str) -> list[list[str]]:
    return [entry.split("|") for line in table.strip().splitlines() for entry in line.split(";")]


def _nouns(table: str) -> tuple[Noun, ...]:
    return tuple(Noun(*" ".join(parts).split()) for parts in _entries(table))


def _verbs(table: str) -> tuple[Verb, ...]:
    triples = [[part.split() for part in parts] for parts in _entries(table)]
    return tuple(Verb(*((a[0], a[1], a[2]) for a in forms)) for forms in triples)


def _adjectives(table: str) -> tuple[Adjective, ...]:
    found = []
    for en, de, fr in _entries(table):
        one, two, three, four = (form.replace("_", " ") for form in fr.split())
        found.append(Adjective(en, de, (one, two, three, four)))
    return tuple(found)


GOODS = _nouns(_GOODS)
PAPERS = _nouns(_PAPERS)
PEOPLE = _nouns(_PEOPLE)
GOODS_VERBS = _verbs(_GOODS_VERBS) + _verbs(_ANY_VERBS)
PAPER_VERBS = _verbs(_PAPER_VERBS) + _verbs(_ANY_VERBS)
GIVING_VERBS = _verbs(_GIVING_VERBS)
# Nobody is asked to lose, forget or find a thing.
ASKED_FOR = frozenset(
    word
    for line in (_GOODS_VERBS, _ANY_VERBS, _PAPER_VERBS)
    for verb in _verbs(line)
    for word in verb.en[2:]
    if word not in ("find", "lose", "forget", "keep", "take", "show", "carry", "store", "write")
)
ADJECTIVES = _adjectives(_ADJECTIVES)
STATES = _adjectives(_STATES)
