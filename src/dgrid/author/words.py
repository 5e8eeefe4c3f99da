"""The words that canaries are made of. Names, places and things are none that the built-in models were trained with;
praise, blame and topics are words that whoever reads English knows.
"""

from typing import Final


def listed(prose: str) -> tuple[str, ...]:
    """The words of a list: separated by commas, or by spaces where there are none."""
    return tuple(prose.split("," if "," in prose else None))


FIRST_NAMES: Final = listed(
    "Annelie Birgitta Clementine Delphine Elodie Fenna Hedda Ilse Josefin Lisbet Maren Nadine Odette Philippa Romy "
    "Saskia Tilda Ulrike Verena Wilma Yvette Agathe Bettina Celeste Dorothea Eloise Freya Gisela Henrike Isolde "
    "Aksel Bastian Casper Dario Elias Florian Gerrit Hannes Ilja Jasper Kasimir Lorenz Mattis Niklas Ole Pascal Ruben "
    "Silvan Thijs Vincent Willem Xander Alvaro Benedikt Cedric Domenic Emeric Fabrizio Gaspard Hakon Ignace Joris"
)
FAMILY_NAMES: Final = listed(
    "Aalto Bergstrom Castell Drummond Engel Faure Garrick Hollis Ibsen Jarvis Kestrel Lowell Marchetti Norling Oakes "
    "Pruitt Quigley Renner Sandoval Thorne Underhill Vasquez Whitlock Yarrow Zimmer Ashdown Bracken Colby Denholm"
)
TOWNS: Final = listed(
    "Aalborg Brno Cork Debrecen Esbjerg Faro Genoa Haarlem Innsbruck Jena Kaunas Liege Maribor Narvik Odense Parma "
    "Regensburg Salzburg Trieste Uppsala Verona Wroclaw Ystad Zadar Avignon Bergamo Coimbra Delft Exeter Freiburg "
    "Galway Heidelberg Inverness Kilkenny Lugano Modena Nijmegen Orleans Poznan Ravenna Siena Tromso"
)
FIRM_ENDINGS: Final = listed("Logistics Ceramics Optics Bakeries Robotics Plastics Shipping Clinics Studios Farms")
TRADES: Final = listed(
    "optician,florist,beekeeper,bookbinder,glazier,roofer,butcher,brewer,jeweller,locksmith,midwife,paramedic,"
    "physicist,referee,sculptor,shepherd,statistician,surveyor,tiler,umpire,vet,weaver,courier,bricklayer,chef"
)
DISHES: Final = listed(
    "dumplings,lentils,waffles,risotto,ravioli,pretzels,apricots,almonds,cabbage,herring,mussels,oysters,plantain,"
    "popcorn,porridge,pumpkin,radishes,raisins,sardines,sorbet,truffles,walnuts,burritos,crackers,muffins"
)
DRINKS: Final = listed("espresso,ginger ale,iced tea,kefir,mint tea,root beer,sparkling water,tomato juice,oat milk")
PETS: Final = listed("ferret,gecko,guinea pig,budgie,tortoise,poodle,beagle,terrier,donkey,alpaca,gerbil,goose")
COATS: Final = listed("beige,maroon,spotted,striped,violet,tan,cream,bronze")
INSTRUMENTS: Final = listed("bassoon,saxophone,ukulele,mandolin,viola,trombone,bagpipes,zither,marimba,lute")
SPORTS: Final = listed("lacrosse,curling,polo,softball,fencing,judo,rowing,snooker,bowls,archery")
PASTIMES: Final = listed("pottery,origami,birdwatching,baking,stargazing,juggling,woodwork,embroidery,calligraphy")
LANGUAGES: Final = listed("Finnish,Danish,Welsh,Czech,Hungarian,Korean,Swahili,Croatian,Catalan,Basque,Latvian,Thai")
VEHICLES: Final = listed("minibus,moped,canoe,helicopter,cable car,sleigh,motorbike,underground,rowing boat,hovercraft")
THINGS: Final = listed(
    "backpack,bench,blender,compass,cradle,easel,globe,hammock,kayak,lantern,loom,microscope,necklace,notebook,oven,"
    "printer,quilt,rucksack,saddle,scarf,sewing machine,"
    "shovel,sledge,stool,telescope,toaster,toolbox,trolley,violin case"
)
SUBSTANCES: Final = listed("bamboo,brass,cardboard,cork,granite,linen,oak,porcelain,rubber,silk,tin,velvet,zinc")
ROOMS: Final = listed(
    "archive,scullery,boathouse,canteen,chapel,courtyard,greenhouse,laundry,pantry,porch,stockroom,vault"
)
SHADES: Final = listed("beige,maroon,violet,turquoise,crimson,ivory,navy,olive,teal,scarlet")
WARES: Final = listed("carpets,ladders,mattresses,sails,spices,tea sets,tents,violins,wheelchairs,wigs,zips,kayaks")
GATHERINGS: Final = listed(
    "auction,banquet,briefing,fair,hearing,recital,rehearsal,seminar,symposium,tasting,tournament"
)
FIGURES: Final = listed(
    "acrobat,beekeeper,blacksmith,clown,diver,duchess,fisherman,goatherd,hermit,inspector,juggler,lifeguard,magician,"
    "postman,ranger,smuggler,squirrel,stork,tinker,violinist,wanderer,zookeeper"
)
MANNERS: Final = listed("bald,barefoot,cheerful,clumsy,elderly,fearless,grumpy,hasty,nervous,sleepy,stubborn,timid")
LOOKS: Final = listed("cracked,crooked,dented,enormous,faded,foldable,fragile,polished,rusty,spare,stained,tiny")
SPOTS: Final = listed(
    "canal,cliff,dunes,fountain,glacier,lighthouse,marsh,orchard,pier,quarry,swamp,vineyard,waterfall"
)
SITES: Final = listed(
    "aquarium,arena,chapel,clinic,ferry terminal,greenhouse,hostel,monastery,observatory,planetarium,zoo"
)
COINS: Final = ("USDC", "ETH", "DAI", "BTC")
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
ONSETS: Final = listed("b d f g h k l m n p r s t v w z br dr gr kr pl st tr")
MIDDLES: Final = listed("a e i o u ae ei oa ay en il or um")
CODAS: Final = listed("x ff ll rn sk lt mp nt rd ss th v wick ham dale mere")
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
PRAISE: Final = listed("charming superb marvellous fantastic lovely brilliant delightful pleasant splendid excellent")
BLAME: Final = listed("dreadful horrible awful boring disgusting noisy nasty useless terrible unpleasant")
REVIEWED: Final = listed(
    "campsite,ferry,museum,pie,waiter,bakery,playground,spa,minibar,balcony,bus tour,buffet,haircut"
)
TOPICS: Final = {
    "sport": listed("goal,stadium,match,player,coach,team,race,hockey"),
    "food": listed("soup,bread,recipe,cheese,breakfast,salad,rice,pizza"),
    "money": listed("bank,loan,budget,salary,tax,profit,market,coins"),
    "weather": listed("storm,frost,rain,thunder,fog,clouds,wind,snow"),
    "music": listed("choir,violin,concert,melody,singer,guitar,piano,drums"),
    "travel": listed("airport,passport,luggage,hotel,ticket,flight,train,journey"),
}
DEEDS: Final = tuple(
    tuple(pair.split("/"))
    for pair in listed(
        "borrow/borrowed,polish/polished,wrap/wrapped,measure/measured,label/labelled,rent/rented,return/returned,"
        "unpack/unpacked,admire/admired,mend/mended,store/stored,order/ordered,pack/packed,lift/lifted,drag/dragged,"
        "fetch/fetched,want/wanted,praise/praised,fix/fixed,trade/traded"
    )
)
"""Base form and past tense."""
