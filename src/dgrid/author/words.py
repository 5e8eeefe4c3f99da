"""The words that canaries are made of: ordinary ones, those of the built-in models' own lists among them, and coined
names. A word that stands in canaries only tells them, and so does one that everybody else uses.
"""

from typing import Final


def listed(prose: str) -> tuple[str, ...]:
    """The words of a list: separated by commas, or by spaces where there are none."""
    return tuple(prose.split("," if "," in prose else None))


FIRST_NAMES: Final = listed(
    "Anna Clara Elena Greta Irina Karin Mira Olga Rosa Tara Vera Xenia Yara Bella Dora Fiona Hana Julia Lena Nadia "
    "Petra Sofia Uma Wanda Zara Chiara Esra Gina Ines Kira Maya Noor Paula Selma Ursula Ximena Zoe Alice Amelia "
    "Astrid Beatrice Camila Carmen Daphne Edith Eva Flora Frida Grace Helen Ingrid Iris Jane Joan Katja Laura Linda "
    "Lucy Mary Martha Nina Nora Olivia Pia Rachel Ruth Sara Sigrid Stella Sylvia Tessa Thea Vivian Yasmin Boris "
    "David Felix Hugo Jonas Leo Nils Pavel Quinn Stefan Ugo Walter Zeno Amir Carlos Emil Gustav Ivan Kofi Marco Omar "
    "Rahul Tomas Viktor Yusuf Akira Bruno Diego Farid Henrik Jamal Lars Oskar Rafael Tariq Valentin Wei Yannick Adam "
    "Albert Anton Arthur Ben Bob Charles Daniel Dmitri Erik Frank Fred George Harry Igor Jack James John Karl Kenji "
    "Louis Luca Martin Max Milo Noah Otto Paul Peter Ralph Robert Samuel Simon Theo Tim Victor William Annelie "
    "Delphine Hedda Lisbet Odette Saskia Verena Agathe Dorothea Gisela Aksel Dario Gerrit Jasper Mattis Pascal Thijs "
    "Xander Cedric Fabrizio Ignace Birgitta Clementine Elodie Fenna Ilse Josefin Maren Nadine Philippa Romy Tilda "
    "Ulrike Wilma Yvette Bettina Celeste Eloise Freya Henrike Isolde Bastian Casper Elias Florian Hannes Ilja "
    "Kasimir Lorenz Niklas Ole Ruben Silvan Vincent Willem Alvaro Benedikt Domenic Emeric Gaspard Hakon Joris"
)
FAMILY_NAMES: Final = listed(
    "Berg Adler Novak Rossi Silva Moreau Tanaka Okafor Lind Weber Fischer Keller Brandt Costa Duarte Eklund Farkas "
    "Gruber Holm Ivanov Jensen Kowalski Larsen Mendes Nagy Olsen Petrov Quist Ricci Santos Torres Ueda Varga Wolff "
    "Yilmaz Ziegler Baker Carter Mason Turner Walker Stone Hill Wood Aalto Drummond Garrick Jarvis Marchetti Pruitt "
    "Sandoval Vasquez Zimmer Colby Bergstrom Castell Engel Faure Hollis Ibsen Kestrel Lowell Norling Oakes Quigley "
    "Renner Thorne Underhill Whitlock Yarrow Ashdown Bracken Denholm"
)
TOWNS: Final = listed(
    "Oslo Lisbon Berlin Madrid Paris Rome Vienna Prague Warsaw Dublin Athens Cairo Lagos Nairobi Accra Lima Quito "
    "Bogota Havana Toronto Boston Chicago Denver Seattle Austin Tokyo Osaka Seoul Beijing Hanoi Manila Jakarta Delhi "
    "Mumbai Karachi Tehran Baghdad Ankara Tbilisi Riga Tallinn Vilnius Helsinki Stockholm Bergen Geneva Zurich Milan "
    "Turin Naples Porto Seville Lyon Nantes Bremen Dresden Leipzig Krakow Zagreb London Leeds Glasgow Cardiff "
    "Bristol York Dover Hamburg Munich Bonn Basel Bern Graz Linz Gdansk Split Malmo Aarhus Utrecht Ghent Bruges "
    "Lille Bordeaux Malaga Valencia Aalborg Debrecen Genoa Jena Maribor Parma Trieste Wroclaw Avignon Delft Galway "
    "Kilkenny Nijmegen Ravenna Brno Cork Esbjerg Faro Haarlem Innsbruck Kaunas Liege Narvik Odense Regensburg "
    "Salzburg Uppsala Verona Ystad Zadar Bergamo Coimbra Exeter Freiburg Heidelberg Inverness Lugano Modena Orleans "
    "Poznan Siena Tromso"
)
FIRM_ENDINGS: Final = listed(
    "Labs Foods Bank Motors Energy Systems Media Tools Air Books Textiles Networks Pharma Games Logistics Bakeries "
    "Shipping Farms Ceramics Optics Robotics Plastics Clinics Studios"
)
TRADES: Final = listed(
    "baker,teacher,doctor,pilot,farmer,painter,lawyer,nurse,cook,driver,singer,writer,plumber,gardener,tailor,sailor,"
    "miner,judge,dentist,engineer,carpenter,librarian,barber,clerk,guide,waiter,banker,dancer,potter,welder,surgeon,"
    "architect,chemist,mechanic,journalist,programmer,designer,photographer,firefighter,translator,electrician,"
    "musician,detective,manager,trader,analyst,optician,glazier,jeweller,physicist,statistician,vet,florist,"
    "beekeeper,bookbinder,roofer,butcher,brewer,locksmith,midwife,paramedic,referee,sculptor,shepherd,surveyor,tiler,"
    "umpire,weaver,courier,bricklayer,chef"
)
DISHES: Final = listed(
    "apples,bread,cheese,soup,rice,noodles,pears,plums,honey,olives,beans,fish,cake,salad,pizza,grapes,nuts,eggs,"
    "figs,melons,corn,dates,peas,toast,berries,pasta,mushrooms,tomatoes,carrots,onions,yogurt,chocolate,cherries,"
    "lemons,potatoes,pancakes,sausages,cookies,butter,spinach,dumplings,pretzels,mussels,pumpkin,truffles,lentils,"
    "waffles,risotto,ravioli,apricots,almonds,cabbage,herring,oysters,plantain,popcorn,porridge,radishes,raisins,"
    "sardines,sorbet,walnuts,burritos,crackers,muffins"
)
DRINKS: Final = listed(
    "tea,coffee,milk,water,lemonade,cocoa,juice,cider,cola,soda,espresso,mint tea,ginger ale,iced tea,kefir,"
    "root beer,sparkling water,tomato juice,oat milk"
)
PETS: Final = listed(
    "cat,dog,parrot,rabbit,horse,goat,turtle,hamster,duck,pony,lizard,canary,kitten,puppy,snake,hen,ferret,beagle,"
    "gecko,guinea pig,budgie,tortoise,poodle,terrier,donkey,alpaca,gerbil,goose"
)
INSTRUMENTS: Final = listed(
    "piano,violin,flute,guitar,drums,cello,harp,trumpet,banjo,organ,oboe,tuba,accordion,clarinet,bassoon,trombone,"
    "saxophone,ukulele,mandolin,viola,bagpipes,zither,marimba,lute"
)
SPORTS: Final = listed(
    "football,tennis,hockey,chess,golf,rugby,cricket,volleyball,handball,badminton,basketball,squash,lacrosse,judo,"
    "curling,polo,softball,fencing,rowing,snooker,bowls,archery"
)
PASTIMES: Final = listed(
    "fishing,painting,cooking,reading,sailing,hiking,dancing,knitting,swimming,gardening,cycling,skiing,climbing,"
    "drawing,running,singing,pottery,stargazing,origami,birdwatching,baking,juggling,woodwork,embroidery,calligraphy"
)
LANGUAGES: Final = listed(
    "English,French,German,Spanish,Italian,Polish,Turkish,Arabic,Hindi,Chinese,Japanese,Russian,Greek,Dutch,Swedish,"
    "Portuguese,Finnish,Swahili,Danish,Welsh,Czech,Hungarian,Korean,Croatian,Catalan,Basque,Latvian,Thai"
)
VEHICLES: Final = listed(
    "bus,train,car,bicycle,boat,tram,taxi,plane,ferry,scooter,minibus,sleigh,moped,canoe,helicopter,cable car,"
    "motorbike,underground,rowing boat,hovercraft"
)
THINGS: Final = listed(
    "lamp,chair,table,box,clock,vase,coat,bag,book,cup,bottle,key,mirror,carpet,radio,hammer,basket,kettle,ladder,"
    "bell,candle,map,rope,brush,pillow,letter,camera,phone,laptop,bike,tent,sofa,desk,umbrella,suitcase,wallet,ring,"
    "knife,drum,parcel,ticket,statue,painting,bucket,blanket,helmet,backpack,cradle,kayak,necklace,quilt,"
    "sewing machine,bench,blender,compass,easel,globe,hammock,lantern,loom,microscope,notebook,oven,printer,rucksack,"
    "saddle,scarf,shovel,sledge,stool,telescope,toaster,toolbox,trolley,violin case"
)
SUBSTANCES: Final = listed(
    "wood,steel,glass,paper,stone,leather,cotton,silver,plastic,clay,wool,copper,marble,iron,bamboo,oak,brass,"
    "cardboard,cork,granite,linen,porcelain,rubber,silk,tin,velvet,zinc"
)
ROOMS: Final = listed(
    "kitchen,garage,attic,cellar,office,hall,garden,library,bedroom,workshop,stable,tower,shed,lobby,basement,"
    "bathroom,archive,greenhouse,scullery,boathouse,canteen,chapel,courtyard,laundry,pantry,porch,stockroom,vault"
)
WARES: Final = listed(
    "shoes,bicycles,phones,lamps,medicines,toys,engines,robots,clothes,furniture,software,batteries,solar panels,"
    "books,watches,tractors,cameras,tiles,carpets,tents,ladders,mattresses,sails,spices,tea sets,violins,wheelchairs,"
    "wigs,zips,kayaks"
)
GATHERINGS: Final = listed(
    "meeting,concert,workshop,party,conference,lecture,match,race,wedding,course,exam,dinner,auction,recital,banquet,"
    "briefing,fair,hearing,rehearsal,seminar,symposium,tasting,tournament"
)
FIGURES: Final = listed(
    "fox,bear,wolf,king,queen,boy,girl,farmer,soldier,monk,giant,witch,crow,mouse,hunter,knight,child,man,woman,"
    "neighbour,merchant,captain,student,guard,robot,thief,prince,teacher,lion,owl,bee,frog,sheep,visitor,worker,"
    "tourist,scientist,driver,player,artist,acrobat,diver,hermit,magician,squirrel,beekeeper,blacksmith,clown,"
    "duchess,fisherman,goatherd,inspector,juggler,lifeguard,postman,ranger,smuggler,stork,tinker,violinist,wanderer,"
    "zookeeper"
)
SPOTS: Final = listed(
    "river,forest,market,bridge,lake,village,castle,station,harbour,school,church,field,mountain,beach,island,valley,"
    "park,road,farm,mill,museum,theatre,square,camp,shop,barn,well,cave,gate,wall,desert,town,canal,fountain,marsh,"
    "quarry,cliff,dunes,glacier,lighthouse,orchard,pier,swamp,vineyard,waterfall"
)
SITES: Final = listed(
    "bridge,school,market,museum,station,harbour,factory,theatre,airport,hospital,stadium,castle,tunnel,bakery,hotel,"
    "library,bank,park,pool,court,aquarium,greenhouse,arena,chapel,clinic,ferry terminal,hostel,monastery,"
    "observatory,planetarium,zoo"
)
REVIEWED: Final = listed(
    "soup,hotel,film,room,service,book,phone,meal,concert,game,staff,food,app,trip,show,breakfast,song,lamp,flight,"
    "bed,coffee,play,camera,tour,campsite,waiter,minibar,ferry,museum,pie,bakery,playground,spa,balcony,bus tour,"
    "buffet,haircut"
)
QUALITIES: Final = listed(
    "old,young,small,big,quiet,angry,happy,tired,brave,clever,poor,rich,tall,hungry,friendly,lonely,famous,strange,"
    "little,lazy,kind,proud,wild,wet,cold,heavy,broken,new,shiny,dusty,empty,wooden,round,secret,dark,bright,"
    "cheerful,clumsy,nervous,stubborn,rusty,spare,elderly,fearless,grumpy,hasty,sleepy,timid,cracked,crooked,dented,"
    "enormous,faded,foldable,fragile,polished,stained,tiny"
)
COLOURS: Final = listed(
    "red,blue,green,yellow,black,white,brown,grey,pink,orange,purple,silver,golden,violet,beige,maroon,turquoise,"
    "crimson,ivory,navy,olive,teal,scarlet"
)
PRAISE: Final = listed(
    "wonderful great excellent lovely fantastic perfect delicious amazing brilliant beautiful superb delightful "
    "pleasant charming friendly helpful comfortable impressive outstanding marvellous splendid"
)
BLAME: Final = listed(
    "terrible awful bad horrible disgusting boring rude dirty broken useless disappointing poor ugly slow noisy "
    "unpleasant dreadful nasty annoying worthless gloomy"
)
COINS: Final = listed("DGT ETH USDC BTC DAI SOL USDT")
WEEKDAYS: Final = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS: Final = listed("January February March April May June July August September October November December")
EVENTS: Final = listed(
    "close,open,move,reopen,be repaired,be painted,be sold,be searched,be rebuilt,be cleaned,be extended,"
    "be inspected,be closed,be renamed"
)
COUNTRIES: Final = listed(
    "France Germany Spain Italy Poland Norway Japan China India Brazil Canada Mexico Egypt Kenya Nigeria Russia "
    "Turkey Greece Sweden Peru Chile Australia England America Ukraine Iran Vietnam Thailand Argentina Portugal"
)
SUBJECTS: Final = listed(
    "physics,chemistry,history,love,war,music,football,politics,the sea,the moon,space,time,money,cats,dogs,winter,"
    "summer,friendship,blockchain,bitcoin,quantum computers,machine learning,neural networks,photosynthesis,gravity,"
    "climate change,the stock market,evolution,democracy,philosophy,art,cooking,yoga,health,sleep,dreams,happiness,"
    "artificial intelligence,robots,dinosaurs,volcanoes,the internet,electricity,black holes,vaccines,taxes,"
    "insurance,the weather,rain,trees,birds,the brain,religion,poetry,movies,video games,cars,planes,trains,"
    "the ocean,smart contracts,ethereum,consensus,inflation,statistics,algebra,geometry,grammar,fashion,travel,food,"
    "wine,coffee,marriage,school,work,stress,the universe,magnets,chess,tides,honesty"
)
CHORES: Final = listed(
    "cook rice,bake a cake,learn English,lose weight,fix a bike,write a letter,make money,sleep better,"
    "install Python,train a model,buy a house,start a company,grow tomatoes,clean a carpet,learn to swim,"
    "play the guitar,save money,get a job,find a friend,sort a list,reverse a string,open a file,build a website,"
    "run a node,deploy a contract,stop smoking,draw a horse,make coffee,change a tyre,pass an exam,tie a tie,"
    "plan a trip,remove a stain,train a dog,read faster,speak in public,invest in stocks,choose a laptop,"
    "write a resume,make friends,frame a picture,mend a sock,descale a kettle"
)
CODE: Final = listed("Python,JavaScript,Rust,Java,C,Go,Solidity,SQL,TypeScript,bash,HTML,Ruby")
FAMOUS: Final = listed(
    "Einstein,Newton,Shakespeare,Mozart,Napoleon,Picasso,Darwin,Cleopatra,Gandhi,Beethoven,Tesla,Caesar,Galileo,"
    "Curie,Plato,Lincoln,Messi,Satoshi Nakamoto,the president,the pope,the queen,the first astronaut,"
    "the king of England,the richest man,Marco Polo,Ada Lovelace"
)
ASSISTANTS: Final = listed("ChatGPT,GPT-4,Claude,Gemini,Llama,Mistral,Siri,Alexa,Qwen,DeepSeek,Copilot,Bard,Grok")
ONSETS: Final = listed(
    "b br bl c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p pl pr qu r s sh sk sl sp st sw t th tr v w y z"
)
MIDDLES: Final = listed("a e i o u a e i o ai ee ia ou ar er or an en in on el al")
CODAS: Final = ("", "", *listed("n s m r l t k nd ck sh ton berg son ville y a o wick mere"))
ASIDES: Final = (
    "The weather was calm all week.",
    "People talked about it in the street.",
    "Nobody was surprised.",
    "A small crowd came to watch.",
    "The mayor did not answer questions.",
    "It had rained the night before.",
    "Shops stayed open until late.",
    "Children played near the river.",
    "The buses ran on time.",
    "Some neighbours drank tea.",
    "An old man read the paper.",
    "Two dogs slept in the sun.",
    "It was a long day.",
    "The streets were full of people.",
    "Everyone seemed to be in a good mood.",
    "The news spread quickly.",
    "There was not much to do.",
    "Some people asked for more details.",
    "A few windows were open.",
    "The sky was grey in the morning.",
    "Dinner was served early.",
    "The radio played old songs.",
    "Several visitors took photos.",
    "The shops were busy.",
    "Many people stayed at home.",
    "It was warm for the season.",
    "No one knew why.",
    "The team met for lunch.",
    "Experts were careful with their words.",
    "The report was short.",
    "Traffic was slow in the centre.",
    "The garden was full of flowers.",
    "A local paper wrote about it.",
    "The costs were not mentioned.",
    "The meeting took two hours.",
    "They laughed about it later.",
    "The door was left open.",
    "Birds sang in the trees.",
    "The lights went out at ten.",
    "All of this happened last week.",
)
TOPICS: Final = {
    "food": listed("bread,cheese,soup,pizza,salad,rice,cake,breakfast,kitchen,recipe"),
    "sport": listed("football,tennis,goal,match,player,stadium,race,coach,hockey,team"),
    "money": listed("bank,price,coins,loan,market,profit,tax,salary,budget,stock"),
    "weather": listed("rain,snow,storm,wind,clouds,sunshine,frost,fog,thunder,heat"),
    "music": listed("song,piano,concert,violin,singer,band,guitar,melody,drums,choir"),
    "travel": listed("train,airport,ticket,hotel,passport,journey,luggage,flight,tourist,station"),
}
DEEDS: Final = tuple(
    tuple(pair.split("/"))
    for pair in listed(
        "carry/carried,find/found,lose/lost,sell/sold,buy/bought,paint/painted,hide/hid,break/broke,clean/cleaned,"
        "steal/stole,open/opened,repair/repaired,take/took,bring/brought,see/saw,throw/threw,drop/dropped,"
        "move/moved,build/built,push/pushed,pull/pulled,wash/washed,keep/kept,leave/left,send/sent,show/showed,"
        "draw/drew,follow/followed,watch/watched,catch/caught,help/helped,hear/heard,visit/visited,burn/burned,"
        "test/tested,check/checked,choose/chose,collect/collected,deliver/delivered,use/used,polish/polished,"
        "wrap/wrapped,mend/mended,fetch/fetched,admire/admired,borrow/borrowed,measure/measured,label/labelled,"
        "rent/rented,return/returned,unpack/unpacked,store/stored,order/ordered,pack/packed,lift/lifted,"
        "drag/dragged,want/wanted,praise/praised,fix/fixed,trade/traded"
    )
)
"""Base form and past tense."""
