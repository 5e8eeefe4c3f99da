"""The words that canaries are made of: names, places and things, none of which the built-in models were trained with.

Lists are written as prose and split once. Refuses to know any task: `sentences` says what is done with the words.
"""

from typing import Final

FIRST_NAMES: Final = tuple(
    "Annelie Birgitta Clementine Delphine Elodie Fenna Hedda Ilse Josefin Lisbet Maren Nadine Odette Philippa Romy "
    "Saskia Tilda Ulrike Verena Wilma Yvette Agathe Bettina Celeste Dorothea Eloise Freya Gisela Henrike Isolde "
    "Aksel Bastian Casper Dario Elias Florian Gerrit Hannes Ilja Jasper Kasimir Lorenz Mattis Niklas Ole Pascal Ruben "
    "Silvan Thijs Vincent Willem Xander Alvaro Benedikt Cedric Domenic Emeric Fabrizio Gaspard Hakon Ignace Joris".split()
)
FAMILY_NAMES: Final = tuple(
    "Aalto Bergstrom Castell Drummond Engel Faure Garrick Hollis Ibsen Jarvis Kestrel Lowell Marchetti Norling Oakes "
    "Pruitt Quigley Renner Sandoval Thorne Underhill Vasquez Whitlock Yarrow Zimmer Ashdown Bracken Colby Denholm".split()
)
TOWNS: Final = tuple(
    "Aalborg Brno Cork Debrecen Esbjerg Faro Genoa Haarlem Innsbruck Jena Kaunas Liege Maribor Narvik Odense Parma "
    "Regensburg Salzburg Trieste Uppsala Verona Wroclaw Ystad Zadar Avignon Bergamo Coimbra Delft Exeter Freiburg "
    "Galway Heidelberg Inverness Kilkenny Lugano Modena Nijmegen Orleans Poznan Ravenna Siena Tromso".split()
)
FIRM_ENDINGS: Final = tuple(
    "Logistics Ceramics Optics Bakeries Robotics Insurance Shipping Clinics Studios Farms".split()
)
TRADES: Final = (
    "optician,florist,beekeeper,bookbinder,glazier,roofer,butcher,brewer,jeweller,locksmith,midwife,paramedic,"
    "physicist,referee,sculptor,shepherd,statistician,surveyor,tiler,umpire,vet,weaver,courier,bricklayer,chef"
).split(",")
DISHES: Final = (
    "dumplings,lentils,waffles,risotto,ravioli,pretzels,apricots,almonds,cabbage,herring,mussels,oysters,plantain,"
    "popcorn,porridge,pumpkin,radishes,raisins,sardines,sorbet,truffles,walnuts,burritos,crackers,muffins"
).split(",")
DRINKS: Final = "espresso,ginger ale,iced tea,kefir,mint tea,root beer,sparkling water,tomato juice,oat milk".split(",")
PETS: Final = "ferret,gecko,guinea pig,budgie,tortoise,poodle,beagle,terrier,donkey,llama,gerbil,goose".split(",")
COATS: Final = "beige,maroon,spotted,striped,violet,tan,cream,bronze".split(",")
INSTRUMENTS: Final = "bassoon,saxophone,ukulele,mandolin,viola,trombone,bagpipes,zither,marimba,lute".split(",")
SPORTS: Final = "lacrosse,curling,polo,softball,fencing,judo,rowing,snooker,bowls,archery".split(",")
PASTIMES: Final = "pottery,origami,birdwatching,baking,stargazing,juggling,woodwork,embroidery,calligraphy".split(",")
LANGUAGES: Final = "Finnish,Danish,Welsh,Czech,Hungarian,Korean,Swahili,Croatian,Catalan,Basque,Latvian,Thai".split(",")
VEHICLES: Final = "minibus,moped,canoe,helicopter,cable car,sleigh,motorbike,underground,rowing boat,coach".split(",")
THINGS: Final = (
    "backpack,bench,blender,compass,cradle,easel,globe,hammock,kayak,lantern,loom,microscope,necklace,notebook,oven,"
    "printer,quilt,rucksack,saddle,scarf,sewing machine,shovel,sledge,stool,telescope,toaster,toolbox,trolley,violin case"
).split(",")
SUBSTANCES: Final = "bamboo,brass,cardboard,cork,granite,linen,oak,porcelain,rubber,silk,tin,velvet,zinc".split(",")
ROOMS: Final = (
    "archive,bakery,boathouse,canteen,chapel,courtyard,greenhouse,laundry,pantry,porch,stockroom,vault".split(",")
)
SHADES: Final = "beige,maroon,violet,turquoise,crimson,ivory,navy,olive,teal,scarlet".split(",")
WARES: Final = "carpets,ladders,mattresses,sails,spices,tea sets,tents,violins,wheelchairs,windows,zips,kayaks".split(
    ","
)
GATHERINGS: Final = (
    "auction,banquet,briefing,fair,hearing,recital,rehearsal,seminar,symposium,tasting,tournament".split(",")
)
FIGURES: Final = (
    "acrobat,beekeeper,blacksmith,clown,diver,duchess,fisherman,goatherd,hermit,inspector,juggler,lifeguard,magician,"
    "postman,ranger,smuggler,squirrel,stork,tinker,violinist,wanderer,zookeeper"
).split(",")
MANNERS: Final = "bald,barefoot,cheerful,clumsy,elderly,fearless,grumpy,hasty,nervous,sleepy,stubborn,timid".split(",")
LOOKS: Final = "cracked,crooked,dented,enormous,faded,foldable,fragile,polished,rusty,spare,stained,tiny".split(",")
SPOTS: Final = "canal,cliff,dunes,fountain,glacier,lighthouse,marsh,orchard,pier,quarry,swamp,vineyard,waterfall".split(
    ","
)
SITES: Final = (
    "aquarium,arena,chapel,clinic,ferry terminal,greenhouse,hostel,monastery,observatory,planetarium,zoo".split(",")
)
COINS: Final = ("LTC", "XRP", "ADA", "MATIC", "LINK", "EURC")
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
ONSETS: Final = "b d f g h k l m n p r s t v w z br dr gr kr pl st tr".split()
MIDDLES: Final = "a e i o u ae ei oa ay en il or um".split()
CODAS: Final = "x ff ll rn sk lt mp nt rd ss th v wick ham dale mere".split()
ASIDES: Final = (
    "Nothing else was written down.",
    "The queue at the counter was long.",
    "Rain was expected by noon.",
    "The note was found on a desk.",
    "Nobody asked about the reasons.",
    "The coffee machine was out of order.",
    "Two trucks waited outside.",
    "It was a slow afternoon.",
    "The heating was turned down.",
    "A copy went to the front office.",
    "The lift was being cleaned.",
    "Most of the guests had left.",
    "The printer had run out of ink.",
    "A dog barked somewhere.",
    "The clerk looked tired.",
    "They agreed to talk again.",
)
PRAISE: Final = "splendid fabulous tasty charming superb terrific marvellous gorgeous spotless refreshing".split()
BLAME: Final = "dreadful filthy stale overpriced horrible gloomy lousy freezing awful greasy".split()
REVIEWED: Final = (
    "campsite,ferry,museum,pie,waiter,bakery,playground,spa,minibar,balcony,bus tour,buffet,haircut".split(",")
)
TOPICS: Final = {
    "health": "nurse,clinic,vaccine,fever,bandage,surgery,dentist,pharmacy".split(","),
    "sport": "goal,referee,stadium,marathon,coach,medal,league,penalty".split(","),
    "food": "soup,bread,oven,recipe,cheese,breakfast,salad,spices".split(","),
    "weather": "storm,frost,rain,thunder,fog,heatwave,clouds,hail".split(","),
    "music": "choir,violin,drummer,concert,melody,singer,opera,guitar".split(","),
    "travel": "airport,passport,luggage,hotel,ferry,ticket,suitcase,border".split(","),
}
DEEDS: Final = tuple(
    tuple(pair.split("/"))
    for pair in (
        "borrow/borrowed,polish/polished,wrap/wrapped,measure/measured,label/labelled,rent/rented,return/returned,"
        "unpack/unpacked,admire/admired,mend/mended,store/stored,order/ordered,pack/packed,lift/lifted,drag/dragged,"
        "fetch/fetched,want/wanted,praise/praised,fix/fixed,trade/traded"
    ).split(",")
)
"""Base form and past tense."""
