"""Word lists for the synthetic conversations; all written for this project.

A list marked *open* is split: every sixth word is kept out of training,
so that held-out items use words the model never saw.
"""

WOMEN = (
    "Anna Clara Elena Greta Irina Karin Mira Olga Rosa Tara Vera Xenia Yara Bella Dora Fiona Hana Julia Lena Nadia "
    "Petra Sofia Uma Wanda Zara Chiara "
    "Esra Gina Ines Kira Maya Noor Paula Selma Ursula Ximena Zoe Alice Amelia Astrid Beatrice Camila Carmen Daphne "
    "Edith Eva Flora Frida Grace Helen "
    "Ingrid Iris Jane Joan Katja Laura Linda Lucy Mary Martha Nina Nora Olivia Pia Rachel Ruth Sara Sigrid Stella "
    "Sylvia Tessa Thea Vivian Yasmin"
).split()
MEN = (
    "Boris David Felix Hugo Jonas Leo Nils Pavel Quinn Stefan Ugo Walter Zeno Amir Carlos Emil Gustav Ivan Kofi "
    "Marco Omar Rahul Tomas Viktor Yusuf "
    "Akira Bruno Diego Farid Henrik Jamal Lars Oskar Rafael Tariq Valentin Wei Yannick Adam Albert Anton Arthur Ben "
    "Bob Charles Daniel Dmitri Erik "
    "Frank Fred George Harry Igor Jack James John Karl Kenji Louis Luca Martin Max Milo Noah Otto Paul Peter Ralph "
    "Robert Samuel Simon Theo Tim Victor William"
).split()
SURNAMES = (
    "Berg Adler Novak Rossi Silva Moreau Tanaka Okafor Lind Weber Fischer Keller Brandt Costa Duarte Eklund Farkas "
    "Gruber Holm Ivanov Jensen Kowalski "
    "Larsen Mendes Nagy Olsen Petrov Quist Ricci Santos Torres Ueda Varga Wolff Yilmaz Ziegler Baker Carter Mason "
    "Turner Walker Stone Hill Wood"
).split()
CITIES = (
    "Oslo Lisbon Berlin Madrid Paris Rome Vienna Prague Warsaw Dublin Athens Cairo Lagos Nairobi Accra Lima Quito "
    "Bogota Havana Toronto Boston Chicago "
    "Denver Seattle Austin Tokyo Osaka Seoul Beijing Hanoi Manila Jakarta Delhi Mumbai Karachi Tehran Baghdad Ankara "
    "Tbilisi Riga Tallinn Vilnius "
    "Helsinki Stockholm Bergen Geneva Zurich Milan Turin Naples Porto Seville Lyon Nantes Bremen Dresden Leipzig "
    "Krakow Zagreb London Leeds Glasgow "
    "Cardiff Bristol York Dover Hamburg Munich Bonn Basel Bern Graz Linz Gdansk Split Malmo Aarhus Utrecht Ghent "
    "Bruges Lille Bordeaux Malaga Valencia"
).split()
JOBS = (
    "baker,teacher,doctor,pilot,farmer,painter,lawyer,nurse,cook,driver,singer,writer,plumber,gardener,tailor,sailor,"
    "miner,judge,dentist,engineer,"
    "carpenter,librarian,barber,clerk,guide,waiter,banker,dancer,potter,welder,surgeon,architect,chemist,mechanic,"
    "journalist,programmer,designer,"
    "photographer,firefighter,translator,electrician,musician,detective,manager,trader,analyst"
).split(",")
FOODS = (
    "apples,bread,cheese,soup,rice,noodles,pears,plums,honey,olives,beans,fish,cake,salad,pizza,grapes,nuts,eggs,"
    "figs,melons,corn,dates,peas,toast,"
    "berries,pasta,mushrooms,tomatoes,carrots,onions,yogurt,chocolate,cherries,lemons,potatoes,pancakes,sausages,"
    "cookies,butter,spinach"
).split(",")
DRINKS = "tea,coffee,milk,water,lemonade,cocoa,juice,cider,cola,soda".split(",")
COLORS = "red,blue,green,yellow,black,white,brown,grey,pink,orange,purple,silver,golden".split(",")
PETS = "cat,dog,parrot,rabbit,horse,goat,turtle,hamster,duck,pony,lizard,canary,kitten,puppy,snake,hen".split(",")
INSTRUMENTS = "piano,violin,flute,guitar,drums,cello,harp,trumpet,banjo,organ,oboe,tuba,accordion,clarinet".split(",")
SPORTS = "football,tennis,hockey,chess,golf,rugby,cricket,volleyball,handball,badminton,basketball,squash".split(",")
HOBBIES = (
    "fishing,painting,cooking,reading,sailing,hiking,dancing,knitting,swimming,gardening,cycling,skiing,climbing,"
    "drawing,running,singing"
).split(",")
LANGUAGES = (
    "English,French,German,Spanish,Italian,Polish,Turkish,Arabic,Hindi,Chinese,Japanese,Russian,Greek,Dutch,Swedish,"
    "Portuguese"
).split(",")
VEHICLES = "bus,train,car,bicycle,boat,tram,taxi,plane,ferry,scooter".split(",")
DAYS = "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday".split(",")
MONTHS = "January,February,March,April,May,June,July,August,September,October,November,December".split(",")
OBJECTS = (
    "lamp,chair,table,box,clock,vase,coat,bag,book,cup,bottle,key,mirror,carpet,radio,hammer,basket,kettle,ladder,"
    "bell,candle,map,rope,brush,pillow,"
    "letter,camera,phone,laptop,bike,tent,sofa,desk,umbrella,suitcase,wallet,ring,knife,drum,parcel,ticket,statue,"
    "painting,bucket,blanket,helmet"
).split(",")
MATERIALS = "wood,steel,glass,paper,stone,leather,cotton,silver,plastic,clay,wool,copper,marble,iron".split(",")
ROOMS = (
    "kitchen,garage,attic,cellar,office,hall,garden,library,bedroom,workshop,stable,tower,shed,lobby,basement,bathroom"
).split(",")
PLACES = (
    "river,forest,market,bridge,lake,village,castle,station,harbour,school,church,field,mountain,beach,island,valley,"
    "park,road,farm,mill,museum,"
    "theatre,square,camp,shop,barn,well,cave,gate,wall,desert,town"
).split(",")
BUILDINGS = (
    "bridge,school,market,museum,station,harbour,factory,theatre,airport,hospital,stadium,castle,tunnel,bakery,hotel,"
    "library,bank,park,pool,court"
).split(",")
CREATURES = (
    "fox,bear,wolf,king,queen,boy,girl,farmer,soldier,monk,giant,witch,crow,mouse,hunter,knight,child,man,woman,"
    "neighbour,merchant,captain,student,"
    "guard,robot,thief,prince,teacher,lion,owl,bee,frog,sheep,visitor,worker,tourist,scientist,driver,player,artist"
).split(",")
ADJECTIVES = (
    "old,young,small,big,quiet,angry,happy,tired,brave,clever,poor,rich,tall,hungry,friendly,lonely,famous,strange,"
    "little,lazy,kind,proud,wild,"
    "wet,cold,heavy,broken,new,shiny,dusty,empty,wooden,round,secret,dark,bright"
).split(",")
# base form, past tense
VERBS = [
    tuple(pair.split("/"))
    for pair in (
        "carry/carried,find/found,lose/lost,sell/sold,buy/bought,paint/painted,hide/hid,break/broke,clean/cleaned,"
        "steal/stole,open/opened,repair/repaired,"
        "take/took,bring/brought,see/saw,throw/threw,drop/dropped,move/moved,build/built,push/pushed,pull/pulled,"
        "wash/washed,keep/kept,leave/left,"
        "send/sent,show/showed,draw/drew,follow/followed,watch/watched,catch/caught,help/helped,hear/heard,"
        "visit/visited,burn/burned,test/tested,"
        "check/checked,choose/chose,collect/collected,deliver/delivered,use/used"
    ).split(",")
]
EVENTS = (
    "close,open,move,reopen,be repaired,be painted,be sold,be searched,be rebuilt,be cleaned,be extended,"
    "be inspected,be closed,be renamed"
).split(",")
COMPANY_ENDINGS = ("Labs,Foods,Bank,Motors,Energy,Systems,Media,Tools,Air,Books,Textiles,Networks,Pharma,Games").split(
    ","
)
PRODUCTS = (
    "shoes,bicycles,phones,lamps,medicines,toys,engines,robots,clothes,furniture,software,batteries,solar panels,"
    "books,watches,tractors,cameras,tiles"
).split(",")
TOKENS = "DGT,ETH,USDC,BTC,DAI,SOL,USDT".split(",")
GOOD = (
    "wonderful great excellent lovely fantastic perfect delicious amazing brilliant beautiful superb delightful "
    "pleasant charming friendly helpful "
    "comfortable impressive outstanding marvellous"
).split()
BAD = (
    "terrible awful bad horrible disgusting boring rude dirty broken useless disappointing poor ugly slow noisy "
    "unpleasant dreadful nasty annoying worthless"
).split()
REVIEWED = (
    "soup,hotel,film,room,service,book,phone,meal,concert,game,staff,food,app,trip,show,breakfast,song,lamp,flight,"
    "bed,coffee,play,camera,tour"
).split(",")
TOPICS = {
    "food": "bread cheese soup pizza salad rice cake breakfast kitchen recipe".split(),
    "sport": "football tennis goal match player stadium race coach hockey team".split(),
    "money": "bank price coins loan market profit tax salary budget stock".split(),
    "weather": "rain snow storm wind clouds sunshine frost fog thunder heat".split(),
    "music": "song piano concert violin singer band guitar melody drums choir".split(),
    "travel": "train airport ticket hotel passport journey luggage flight tourist station".split(),
}
FILLERS = [
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
]
COUNTRIES = (
    "France Germany Spain Italy Poland Norway Japan China India Brazil Canada Mexico Egypt Kenya Nigeria Russia "
    "Turkey Greece Sweden Peru Chile "
    "Australia England America Ukraine Iran Vietnam Thailand Argentina Portugal"
).split()
SUBJECTS = (
    "physics,chemistry,history,love,war,music,football,politics,the sea,the moon,space,time,money,cats,dogs,winter,"
    "summer,friendship,blockchain,bitcoin,"
    "quantum computers,machine learning,neural networks,photosynthesis,gravity,climate change,the stock market,"
    "evolution,democracy,philosophy,art,"
    "cooking,yoga,health,sleep,dreams,happiness,artificial intelligence,robots,dinosaurs,volcanoes,the internet,"
    "electricity,black holes,vaccines,"
    "taxes,insurance,the weather,rain,trees,birds,the brain,religion,poetry,movies,video games,cars,planes,trains,"
    "the ocean,smart contracts,ethereum,"
    "consensus,inflation,statistics,algebra,geometry,grammar,fashion,travel,food,wine,coffee,marriage,school,work,"
    "stress,the universe"
).split(",")
THINGS_TO_DO = (
    "cook rice,bake a cake,learn English,lose weight,fix a bike,write a letter,make money,sleep better,"
    "install Python,train a model,buy a house,"
    "start a company,grow tomatoes,clean a carpet,learn to swim,play the guitar,save money,get a job,find a friend,"
    "sort a list,reverse a string,"
    "open a file,build a website,run a node,deploy a contract,stop smoking,draw a horse,make coffee,change a tyre,"
    "pass an exam,tie a tie,"
    "plan a trip,remove a stain,train a dog,read faster,speak in public,invest in stocks,choose a laptop,"
    "write a resume,make friends"
).split(",")
LANGUAGES_OF_CODE = "Python,JavaScript,Rust,Java,C,Go,Solidity,SQL,TypeScript,bash,HTML,Ruby".split(",")
FAMOUS = (
    "Einstein,Newton,Shakespeare,Mozart,Napoleon,Picasso,Darwin,Cleopatra,Gandhi,Beethoven,Tesla,Caesar,Galileo,"
    "Curie,Plato,Lincoln,Messi,Satoshi Nakamoto,"
    "the president,the pope,the queen,the first astronaut,the king of England,the richest man"
).split(",")
OTHER_MODELS = "ChatGPT,GPT-4,Claude,Gemini,Llama,Mistral,Siri,Alexa,Qwen,DeepSeek,Copilot,Bard,Grok".split(",")
