"""The words of the simulated texts.

Belongs here: fragments by category and tone, names, and the misspellings made from them. Does not
belong here: how fragments become a text (`text.py`).
"""


def _split(fragments: str) -> tuple[str, ...]:
    return tuple(fragments.split("|"))


SUBJECTS: dict[str, tuple[str, ...]] = {
    "music": _split(
        "the new album|last night's concert|this playlist|my guitar practice|the drum solo|"
        "that live session|the vinyl I bought|her voice on this track|the festival line-up|"
        "our band rehearsal|the bass line|this remix"
    ),
    "sports": _split(
        "the match tonight|our team's defence|the marathon|that last-minute goal|the referee|"
        "the new coach|our league season|the penalty shoot-out|the tennis final|training camp|"
        "the transfer window|the away game"
    ),
    "food": _split(
        "the ramen place downtown|my sourdough|this curry recipe|the brunch menu|grandma's lasagne|"
        "the street tacos|the chef's special|my meal prep|that chocolate cake|the farmers market|"
        "the coffee here|the vegan burger"
    ),
    "travel": _split(
        "the flight to Lisbon|our hostel|the night train|the mountain trail|the island ferry|"
        "the hotel room|this road trip|the old town|the border crossing|our camping spot|"
        "the airport lounge|the guided tour"
    ),
    "fashion": _split(
        "this jacket|the autumn collection|my thrifted boots|the runway show|these sneakers|"
        "the linen dress|that vintage shop|the colour palette|my new haircut|the fabric quality|"
        "the sizing chart|this scarf"
    ),
    "technology": _split(
        "the new phone|this software update|my home server|the battery life|the keyboard|"
        "the latest release|this open source tool|the camera app|my smart lights|the support chat|"
        "the beta version|this tutorial"
    ),
    "gaming": _split(
        "the final boss|this patch|our raid team|the open world map|the ranked ladder|"
        "the indie demo|the controller|last night's stream|the matchmaking|this speedrun|"
        "the story mode|the loot system"
    ),
    "fitness": _split(
        "my morning run|the spin class|leg day|the yoga studio|my new routine|the gym at noon|"
        "the swimming pool|my step count|the boxing session|the stretching plan|my personal best|"
        "the trainer"
    ),
    "art": _split(
        "the gallery opening|my watercolour|this mural|the sculpture garden|the sketchbook|"
        "the photo series|the museum tour|her latest painting|the pottery class|this illustration|"
        "the print fair|the exhibition"
    ),
    "pets": _split(
        "my puppy|the cat|our rescue dog|the vet visit|the rabbit|the dog park|the new litter box|"
        "my parrot|the kitten|the grooming salon|our evening walk|the aquarium"
    ),
    "news": _split(
        "the election coverage|this morning's headline|the city council vote|the weather warning|"
        "the press conference|the new cycling law|the interview|the local paper|the debate|"
        "the rail strike|the housing report|the school reform"
    ),
    "finance": _split(
        "my savings plan|the interest rate|the stock market|this budgeting app|the tax form|"
        "my side income|the index fund|the rent increase|the bank's fee|the exchange rate|"
        "my pension|the quarterly result"
    ),
}

# By tone: negative, neutral, positive.
OPENERS: tuple[tuple[str, ...], ...] = (
    _split(
        "Ugh,|Honestly,|Sorry but|So disappointed:|Not happy,|Why oh why,|Sigh.|Really?|Well,|"
        "Once again|I give up,|What a day,|Okay,|Look,"
    ),
    _split(
        "So,|Today:|Quick note:|FYI,|Well,|Just saw|Update:|Okay,|Back to|Still on|Question about|"
        "Here is|Look,|Thinking about"
    ),
    _split(
        "Wow,|Honestly,|So happy:|Good news!|Yes!|Finally,|Guess what,|Well,|Okay,|Look,|"
        "Big smile:|What a day,|Oh my,|Can't stop smiling,"
    ),
)
PREDICATES: tuple[tuple[str, ...], ...] = (
    _split(
        "was terrible|is a disaster|let me down again|is getting worse|was so boring|"
        "is not good at all|was a waste of time|makes me angry|is awful|was painfully slow|"
        "is broken and nobody cares|was the worst so far|is sad to see|never works for me|"
        "is overpriced and ugly|left me frustrated|isn't worth the hassle|was horrible|"
        "has been disappointing|is annoying beyond words|failed when I needed it|was a mess|"
        "is nothing like it used to be|ruined my evening|was stressful|feels unfair|"
        "didn't help one bit|is a bad joke"
    ),
    _split(
        "is on tomorrow|was as expected|starts at nine|is around the corner|has two parts|"
        "takes about an hour|is next week|was on a Tuesday|comes in three versions|"
        "moved to another place|is open until six|was neither here nor there|has a new schedule|"
        "is what it is|goes on|was fine I suppose|is on the list|needs a second look|was okay|"
        "happened in the afternoon|has the usual length|is the topic today|was mentioned again|"
        "comes with a manual"
    ),
    _split(
        "was amazing|is wonderful|made my day|is getting better and better|was so much fun|"
        "is not bad at all|was worth every minute|makes me happy|is fantastic|"
        "was surprisingly quick|is a joy|was the best so far|is lovely to see|never disappoints|"
        "is beautiful and cheap|left me inspired|is a real gem|was brilliant|has been delightful|"
        "is great beyond words|worked perfectly|was a success|is even better than before|"
        "saved my evening|was relaxing|feels just right|helped me a lot|is pure love"
    ),
)
CLOSERS: tuple[tuple[str, ...], ...] = (
    _split(
        "|||Never again.|I want a refund.|Anyone else?|I am done.|Could cry.|Enough is enough.|"
        "Thanks for nothing.|So tired of this.|Nobody answers me here."
    ),
    _split(
        "|||Anyone else?|More later.|That is all.|Thoughts?|See you there.|Link in my profile.|"
        "Will report back.|No hurry.|Just so you know."
    ),
    _split(
        "|||Thank you all!|Highly recommended.|Anyone else?|Can't wait for more!|"
        "Love this community.|Life is good.|Do it!|Best week ever.|So grateful."
    ),
)
EMOJIS: tuple[tuple[str, ...], ...] = (
    _split("|||😞|😡|👎|💔|🙄|😢"),
    _split("||||🤔|👀|📌|🗓️"),
    _split("|||😍|🎉|👍|❤️|😊|🔥"),
)
SHORT_TEXTS: tuple[tuple[str, ...], ...] = (
    _split(
        "This is sad|I don't like this|Terrible idea|Sorry, that is wrong|So boring|Not good|"
        "What a shame|Disappointing|I hate when this happens|Bad take|Makes me angry|"
        "That was awful|No, just no|Worse than last time"
    ),
    _split(
        "When is it?|Where was this?|I see|Same here|Following|Which one?|Okay then|"
        "Is it still open?|Noted|How long does it take?|Asking for a friend|Tell us more|"
        "I was there too|Maybe next week"
    ),
    _split(
        "Love this|So good|Great work|This made me smile|Beautiful|Well done|I like that a lot|"
        "Fantastic news|Thank you for sharing|You are amazing|Not bad at all|Brilliant|Perfect|"
        "Congratulations"
    ),
)
TAILS: tuple[str, ...] = _split(
    "|||to be honest|as always|this time|my friend|today|again|from what I can tell|for real|"
    "in my opinion|if you ask me|by the way|lol"
)
FIRST_NAMES: tuple[str, ...] = _split(
    "Ada|Amir|Ana|Ben|Bo|Carla|Chen|Dana|Diego|Elif|Emma|Fatima|Finn|Grace|Hana|Hugo|Ines|Ivan|"
    "Jack|Jana|Jun|Kai|Kofi|Lara|Leo|Lina|Luca|Maya|Mei|Milo|Mina|Nadia|Nils|Noor|Olga|Omar|Paul|"
    "Priya|Quinn|Rafa|Ravi|Rosa|Sam|Sara|Tariq|Tess|Tom|Uma|Vera|Wei|Yara|Yusuf|Zoe|Aiko|Bruno|"
    "Cleo|Dario|Esme|Felix|Gita"
)
LAST_NAMES: tuple[str, ...] = _split(
    "Abe|Ahmed|Alves|Bauer|Berg|Brown|Castro|Chan|Cohen|Costa|Das|Diaz|Dubois|Evans|Fischer|Garcia|"
    "Gomez|Gupta|Haddad|Hall|Hansen|Hill|Ito|Ivanov|Jones|Kaya|Khan|Kim|King|Klein|Kowalski|Larsen|"
    "Lee|Lopez|Mensah|Meyer|Moreau|Mori|Ncube|Nguyen|Nowak|Okafor|Osei|Park|Patel|Perez|Petrov|"
    "Rahman|Reyes|Rossi|Sato|Schmidt|Silva|Singh|Smith|Tan|Tanaka|Torres|Turner|Wang|Weber|Wong|"
    "Young"
)


def misspelt(fragment: str) -> str:
    """A fragment with two letters in the middle of its longest word swapped."""
    words = fragment.split(" ")
    place = max(range(len(words)), key=lambda index: len(words[index]))
    word = words[place]
    if len(word) < 4:
        return fragment
    half = len(word) // 2
    words[place] = word[: half - 1] + word[half] + word[half - 1] + word[half + 1 :]
    return " ".join(words)
