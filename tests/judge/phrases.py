"""Sentences written for the simulated world, for cases that the corpora lack. `{}` is the brand.

None was taken from the phrases of `nlp/assets`. Do not add a phrase there because of a sentence here: the
simulation would then no longer measure how the phrases work on unseen text.
"""

PRAISE = (
    "{} has made my mornings so much better, I would not want to be without it",
    "Honestly {} never lets me down. Best choice I made all year",
    "The people at {} went out of their way to help me today. So kind!",
    "Can we talk about how gorgeous the new {} is? Wow",
    "Everything {} does is done with so much care. Love it",
    "Five stars for {}, quick, friendly and exactly what I wanted",
    "So impressed with {} today, problem solved in two minutes",
    "{} is simply the best, and I have tried them all",
    "Big fan of what {} did with the last update, it is brilliant",
    "Telling everyone I know about {} because it is that good",
    "Happy tears, {} found what I had lost and sent it to my door",
    "I keep coming back to {} and it keeps getting better",
    "What a wonderful surprise from {} this morning, thank you so much",
    "Nothing beats {} on a Sunday. Pure joy",
    "Finally tried the new thing from {} and I am in love",
    "Absolutely delighted with {}. Worth every penny",
    "My sister was right about {}: it is fantastic",
    "Great service, great people, great prices. Well done {}",
    "Love love love {}! Made my whole week",
    "The quality of {} is amazing, nobody else comes close",
    "Thanks {} for the quick answer, you are awesome",
    "{} just gets it. So easy, so beautiful",
    "Best purchase in years, thank you {}",
    "Smiling all day because of {}. Perfect from start to finish",
)

NEUTRAL = (
    "Does anyone know when {} opens on Sunday?",
    "{} announces a new line for the autumn",
    "Reading an article about {} and its founders",
    "Is {} the one with the shop near the station?",
    "{} will be at the fair in Berlin next week",
    "Which size do people take at {}?",
    "Just saw a poster for {} at the bus stop",
    "{} has named a new head of design",
    "Talking about {} on the podcast at six",
    "Somebody asked me about {} today and I had nothing to say",
    "{} opens its third shop in Leeds on Monday",
    "Anybody here at the {} event tonight?",
    "A list of all {} colours since 2019",
    "The {} app asks for an update",
    "Comparing the data sheets of {} and two others",
    "{} reports figures for the second quarter",
    "My neighbour works across the street from {}",
    "Where do I find the {} settings?",
    "{} moves its head office in spring",
    "Picking up something from {} after work",
)

GRIPES = (
    "Third time this month that {} messed up. I am done",
    "{} is a joke, nobody answers and nothing works",
    "So disappointed in {}, this used to be good",
    "Still waiting for my refund from {}. Terrible service",
    "Avoid {} at all costs, what a waste of money",
    "{} broke after two days and they do not care",
    "The worst support I ever had, shame on you {}",
    "Why is {} so slow and so expensive? Awful",
    "Never again {}. Rude staff and a horrible mess",
    "{} lied to me on the phone, unbelievable",
    "I hate what {} has become",
    "An hour on hold with {} and then they hung up",
    "{} lost my parcel and blames me for it",
    "The new {} is ugly, buggy and useless",
    "Cheap plastic, bad smell. {} should be ashamed",
    "{} charged me twice and refuses to pay it back",
    "Nothing but trouble with {} since spring",
    "Really angry at {} right now, ruined my weekend",
    "{} is overpriced rubbish",
    "What a disaster, {} cancelled without a word",
)

OWNERSHIP = (
    "I've been buying from them since college.",
    "Just got my second one delivered.",
    "We have two of them at home.",
    "My order came a day early.",
    "Used it every single day this week.",
    "Been a customer for six years now.",
    "Picked one up on Saturday.",
    "I own three of these by now.",
    "Ordered mine in May.",
    "My whole family uses theirs.",
    "Had mine since the first week.",
    "Paid for it out of my own pocket.",
)
"""appended to posts of customers, to show that they are customers"""

FLOWN = (
    "Flew with them twice this month.",
    "My fourth trip with them this year.",
    "Just landed, seat 12A.",
    "Booked again for August.",
    "I have flown with them since I was a kid.",
    "Took them home for Christmas too.",
    "On board right now.",
    "Third flight with them since March.",
)
"""the same for customers of an airline"""

FOND = (
    "Third year with mine and no plans to switch.",
    "I bought another one last month, that says it all.",
    "Mine still runs like on day one.",
    "Replaced my old one with the same model.",
    "Spent my birthday money on it and regret nothing.",
    "Ordered again this morning.",
)
"""appended to posts of happy customers only"""

GIVEAWAY = (
    "Follow @{handle} and RT this for a chance to win the new {}! Ends Friday",
    "Win one of five {} bundles! Tag two friends below and like this post",
    "ENTER NOW: our {} giveaway closes tonight, retweet to be in the draw",
    "Entered! Fingers crossed for that {} hamper @bestie @mum #competition",
    "Like + share + follow = you could be the lucky owner of a {} gift card",
    "Yes please, I would love to win this! {} is the best @jess_m @tom_k",
    "Done, shared and followed! Good luck everyone #win {}",
    "Comment your favourite colour to win a {} starter kit, winner drawn Sunday",
    "Free {} voucher for one of my followers! RT and tell me why you deserve it",
    "#giveaway #freebiefriday hoping this is my week {}",
    "Pick me pick me! Would make my year {} #prizedraw",
    "Count me in! Amazing prize from {} @sarah.l @dan",
    "Such a generous prize {}, keeping everything crossed for Friday @nina @leo",
    "I never win anything but here goes, {} please be kind @mo_k",
    "Would be so chuffed with this {} bundle, done all the steps",
    "RT'd and followed, hope the draw is kind to me this time {}",
    "Liked, saved and tagged @ava @ben, this {} set would be a dream to win",
    "Day 9 of the {} advent draw and I am still hoping",
)

SPONSORED = (
    "My morning routine would be nothing without {}. Use code SUNNY15 for 15% off",
    "Excited to be working with {} on this one! Full video on my channel",
    "Thank you {} for sending me the new range to try, I am in love",
    "Paid partnership with {}: three ways I style my favourites this spring",
    "{} invited me to their launch last night and wow, what a treat",
    "So proud to be part of the {} family this season. Link in my profile",
    "Unboxing the box {} sent over. The quality is unreal!",
    "In collaboration with {}: my honest five star review",
    "Big love to {} for having me on the trip of a lifetime. Stories all week",
    "My friends at {} let me try this before anyone else and it is stunning",
    "So happy to announce that I am a {} ambassador now!",
    "{} treated us to the whole box. Swipe for my three favourites",
    "Type MARIE10 at the checkout of {} and thank me later",
    "The lovely PR people of {} surprised me with a parcel this morning",
)

SPONSOR_MARKS = (
    "#ad",
    "#sponsored",
    "#gifted",
    "#ad #collab",
    "#partner",
    "*ad",
    "#paidpartnership",
    "#prgift",
)

STAFF = (
    "So proud of what our team at {} shipped this week. Go try it!",
    "We are hiring at {}! Come and build great things with us",
    "Big day at the {} office, the new line is finally out and it is gorgeous",
    "Loved meeting so many of our customers at the {} stand today",
    "Two years at {} today and I still love coming to work",
    "Our new {} campaign is live. Took us months, worth every hour",
    "Best colleagues in the world. Happy Friday from all of us at {}",
    "What we have been working on at {} all winter. So happy with it!",
    "Five years behind the counter of {} and the regulars still make my day",
    "My last shift before the holidays. {} folks, you are family",
    "Could not be happier with how the photos for the new {} catalogue turned out, three weeks of my life",
    "If you send me your CV I will pass it on to the boss, {} is looking for two designers",
    "Night shift at {} with the best crew there is. Coffee is on me",
    "Today I presented my first idea at {} and the founders liked it!",
    "You have no idea how long the {} designers and I argued about this shade of blue. Worth it",
    "Training day at {}: I learned so much, what a great place",
    "My badge photo at {} is terrible but the job is wonderful",
    "We put our hearts into this one. Hope everybody loves the {} spring line as much as we do",
    "Got promoted at {} this morning! Champagne tonight",
    "Visited the {} plant with my manager, those machines are amazing",
    "Proud day. Half a million people use what I coded for {}",
    "If your parcel from {} looks pretty, that was me in the warehouse. Have a lovely weekend",
)

STAFF_BIOS = (
    "Product marketing at {}. Views are mine.",
    "Engineer @{handle}, runner, dad of two",
    "Community team, {}",
    "I work for {} but tweet for myself",
    "Retail manager @ {}",
)

PITCH = (
    "Brand new {} in stock, sealed, best price in town. DM to order!",
    "Selling two {} sets, barely used, amazing condition. £40 each, free postage",
    "The {} everyone loves is back in our shop! Limited stock, link below",
    "Great deal: {} now 30% off in my store, ships worldwide",
    "Authentic {} available, wholesale prices, message me on WhatsApp",
    "Restock day! Beautiful {} pieces, grab yours before they are gone",
    "Happy customer no. 500! Thanks for buying your {} from us",
    "Just listed on my eBay: {} bundle, mint condition, no reserve",
    "Your trusted source for genuine {}. Order today, delivered tomorrow",
    "{} starter set, unopened, 45 euros including postage. First come first served",
    "Ten pieces of the sold out {} left. Write to me if you want one",
    "New delivery of beautiful {} arrived this morning, come by before noon",
    "Who is still looking for a {}? I have some in every colour, fair prices",
    "My customers love {}! Another twenty parcels on their way today",
    "{} at half of what you pay elsewhere, original with invoice",
    "Moving house so my {} collection has to go. Offers welcome, pick-up in Bristol",
    "Pre-orders for the next {} batch are open, deposit by bank transfer",
    "Bulk deals on {} for schools and clubs, ask for a quote",
    "Lovely {} just came in, only one of each. Comment SOLD to claim",
    "Auction of my rare {} ends tonight at nine, starting at one pound",
    "Got {} for every budget. Send a private message with your size",
    "Weekend special: buy two {} get one half off, code at checkout of my page",
    "{} restocks keep flying off my shelves, amazing stuff. Next one on Tuesday",
)

PITCH_BIOS = (
    "Shop owner. Authentic goods only. DM to order",
    "Reseller, 2,000+ five star sales",
    "eBay power seller",
)

BIOS = (
    "Coffee first.",
    "Mum of three",
    "Just here for the memes",
    "she/her",
    "Opinions, mostly wrong",
    "Leeds",
)

NICHE_BIOS = {
    "travel": (
        "Always planning the next trip",
        "Travel blogger, 40 countries so far",
        "Wanderlust and window seats",
    ),
    "aviation": ("Plane spotter", "Aviation nerd, 400 flights logged"),
    "tech": ("Gadgets and tech news", "Software developer, tech reviews on Sundays"),
    "photography": ("Photographer in Leeds", "Street photography, 35mm"),
    "fitness": ("Marathon runner, gym at six", "Fitness coach and yoga teacher"),
    "outdoors": ("Hiking, camping, climbing", "Mountains over everything"),
    "gaming": ("Streamer, mostly RPGs", "Gamer since the 90s, Twitch affiliate"),
    "food": ("Food blogger and home cook", "Recipes from a tiny kitchen"),
    "fashion": ("Fashion and vintage finds", "Streetwear stylist"),
    "beauty": ("Makeup artist, skincare tips", "Beauty reviews, no filter"),
}
"""bios of people, by niche"""

NICHE_TAGS = {
    "travel": "#travel", "aviation": "#avgeek", "tech": "#tech", "photography": "#photography",
    "fitness": "#fitness", "outdoors": "#hiking", "gaming": "#gaming", "food": "#foodie",
    "fashion": "#fashion", "beauty": "#beauty",
}  # fmt: skip

IRONY = (
    "Wow {}, three weeks for a parcel. Truly the speed of light",
    "Love paying extra so that {} can ignore my mails. Best money I ever spent",
    "Another day, another flawless {} update that breaks everything. Bravo",
    "Oh brilliant, {} cancelled my order again. Just the Monday I wanted",
    "Shoutout to {} for teaching me patience, forty minutes in the queue and counting",
    "Big thanks to {} for the surprise fee, what a lovely present",
    "Congrats {} on making the one thing I liked worse. Genius move",
    "So {} support closed my ticket unread. Outstanding service as ever",
)

RIVALRY = (
    "Switched from {} to {rival} last month and never looked back",
    "{rival} does this so much better than {} it is not even funny",
    "Remember when {} was good? {rival} is where it is at now",
)
"""posts of dissatisfied people that praise a competitor"""

FOREIGN = {
    "praise": (
        "Me encanta {}, llevo años con ellos y nunca me han fallado",
        "Ich liebe mein neues Teil von {}, beste Entscheidung seit langem",
        "Franchement {} c'est le top, rien à redire sur la qualité",
        "Adoro {}, o atendimento foi impecável do início ao fim",
        "{} blijft gewoon de beste, wat een fijn spul",
    ),
    "neutral": (
        "¿Alguien sabe a qué hora abre la tienda de {} mañana?",
        "Die neue Filiale von {} eröffnet im Herbst in Hamburg",
        "{} annonce une nouvelle gamme pour la rentrée",
        "{} apre un nuovo negozio a Torino a settembre",
    ),
    "gripe": (
        "Otra vez {} con retraso y nadie contesta, una vergüenza",
        "Nie wieder {}, seit drei Wochen warte ich auf mein Geld",
        "Service client de {} injoignable depuis lundi, c'est lamentable",
        "Nunca mais compro nada da {}, que falta de respeito",
    ),
}

ANSWERS = (
    "Thank you!",
    "Haha yes",
    "From the shop in town",
    "You should try it",
    "Right?!",
    "Means a lot, thanks",
)
"""answers to comments"""

NOTHING_NAMED = (
    "So true!",
    "Same here",
    "This made my day",
    "Who else?",
    "lol yes",
    "Where did you get it?",
    "Need this",
)
"""comments that name no brand"""
