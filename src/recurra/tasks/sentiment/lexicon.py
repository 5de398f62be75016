"""The words that `sample:moods` and the contrast set are made of: what is spoken of, and what is said of it.

A word that judges is good or bad, and each is held out of one kind of sentence: "fragrant", say, never stands near a
plain negation in the sample, but does near double ones, a "but" and so on. The contrast set has each word in the kind
it is held out of, so whoever gets it right has composed what it knows of the word with what it knows of "not".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

KINDS = ("negation", "double negation", "but", "distance")
"""The kinds of sentences that words are held out of, and that the contrast set has."""


class Sides(NamedTuple):
    """Words that praise and words that blame, of one kind."""

    good: tuple[str, ...]
    bad: tuple[str, ...]

    def of(self, positive: bool) -> tuple[str, ...]:
        """The words of one side."""
        return self.good if positive else self.bad


@dataclass(frozen=True)
class Domain:
    """Something people speak of.

    Attributes:
        subjects: what is judged, with its article.
        nouns: what may stand after "a good".
        adjectives: what is said of it, `GENERAL` besides.
        qualities: what it may be full of.
    """

    subjects: tuple[str, ...]
    nouns: tuple[str, ...]
    adjectives: Sides
    qualities: Sides


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.replace("\n", " ").split(","))


GENERAL = Sides(
    _words(
        "good wonderful lovely excellent great brilliant superb splendid fine delightful marvellous magnificent "
        "pleasant fantastic outstanding enjoyable nice perfect terrific charming"
    ),
    _words(
        "bad awful terrible dreadful poor horrible disappointing lousy mediocre unpleasant hopeless miserable weak "
        "atrocious pathetic unbearable appalling dismal wretched annoying"
    ),
)
"""Adjectives for everything."""

FEELINGS = Sides(
    _words(
        "happy glad delighted cheerful content pleased proud grateful excited relaxed hopeful thrilled satisfied calm "
        "comfortable joyful optimistic confident"
    ),
    _words(
        "sad unhappy angry gloomy upset disappointed lonely ashamed bored worried anxious frustrated miserable nervous "
        "depressed bitter hopeless afraid"
    ),
)
"""How people feel."""

LIKING = Sides(
    _words("like love enjoy admire adore appreciate treasure cherish praise welcome recommend applaud"),
    _words("hate dislike loathe detest regret resent dread despise curse criticise condemn mock"),
)
"""What people do to what they judge; regular verbs, their first form."""

PLEASING = Sides(
    _words("please delight charm amuse impress entertain satisfy thrill comfort fascinate enchant inspire"),
    _words("bore annoy disappoint irritate depress frustrate offend disgust bother sadden exhaust embarrass"),
)
"""What it does to people; regular verbs, their first form."""

BEGINNINGS = Sides(
    _words("well brilliantly promisingly strongly beautifully cheerfully smoothly happily"),
    _words("slowly badly poorly weakly clumsily gloomily horribly sadly"),
)
"""How something started."""

OPPOSITES = Sides(
    _words("happy kind friendly pleasant sympathetic honest polite reliable fair grateful impressive patient"),
    _words(
        "unhappy unkind unfriendly unpleasant unsympathetic dishonest impolite unreliable unfair ungrateful "
        "unimpressive impatient"
    ),
)
"""Adjectives whose opposite is the same word with a syllable before it, pair by pair; for people."""

DOMAINS = {
    "film": Domain(
        _phrases(
            "the film, the movie, the story, the plot, the ending, the acting, the script, the second half, the music, "
            "the sequel, the documentary, the dialogue, the opening scene, the leading actor, the novel, the play, "
            "this comedy, that thriller, the last episode, the whole series"
        ),
        _words("film movie story comedy novel play show thriller"),
        Sides(
            _words(
                "gripping moving funny clever original thrilling touching witty absorbing convincing refreshing "
                "intelligent imaginative subtle elegant suspenseful"
            ),
            _words(
                "dull boring predictable shallow clumsy tedious lifeless confusing silly pretentious forgettable "
                "sentimental childish pointless noisy unconvincing"
            ),
        ),
        Sides(
            _words("wit humour imagination depth suspense style"),
            _words("clichés nonsense violence noise holes mistakes"),
        ),
    ),
    "food": Domain(
        _phrases(
            "the soup, the meal, the bread, the fish, the curry, the dessert, the coffee, the sauce, the breakfast, "
            "the cake, the salad, the wine, the dinner, the pizza, the rice, the cheese, the lunch, the stew, the pie, "
            "the omelette"
        ),
        _words("meal dinner dish restaurant lunch breakfast cook place"),
        Sides(
            _words(
                "delicious fresh tasty fragrant tender crisp juicy flavourful appetising wholesome mouthwatering rich"
            ),
            _words("stale greasy bland burnt soggy tasteless watery sour overcooked rubbery inedible lukewarm"),
        ),
        Sides(_words("flavour taste freshness care goodness spice"), _words("grease bones salt fat sand lumps")),
    ),
    "journey": Domain(
        _phrases(
            "the trip, the journey, the flight, the crossing, the train ride, the hotel, the room, the beach, "
            "the tour, the service, "
            "the village, the hike, the cruise, the hostel, the cabin, the drive, the campsite, the island, the bus, "
            "the old town, the harbour"
        ),
        _words("trip journey hotel tour holiday flight beach room"),
        Sides(
            _words(
                "comfortable scenic relaxing spotless peaceful restful smooth cosy picturesque unforgettable tidy safe"
            ),
            _words("exhausting filthy noisy cramped chaotic shabby bumpy dirty stressful dangerous smelly overcrowded"),
        ),
        Sides(_words("comfort beauty charm sunshine adventure warmth"), _words("dirt delays rubbish noise mould dust")),
    ),
    "day": Domain(
        _phrases(
            "the day, the morning, the evening, the weekend, the party, the wedding, the meeting, the holiday, "
            "the concert, the lesson, the match, the afternoon, the picnic, the exhibition, the festival, "
            "the birthday, the summer, the reunion, the show, the interview"
        ),
        _words("day evening party weekend concert wedding match lesson"),
        Sides(
            _words("cheerful sunny memorable joyful festive glorious lively exciting magical amusing successful merry"),
            _words(
                "gloomy dreary grim stressful rotten depressing tiresome chaotic frustrating painful disastrous bleak"
            ),
        ),
        Sides(_words("joy laughter dancing energy warmth life"), _words("quarrels tears stress trouble noise boredom")),
    ),
    "person": Domain(
        _phrases(
            "my teacher, our neighbour, the doctor, the new boss, her brother, the waiter, the nurse, the landlord, "
            "my cousin, the guide, the driver, our host, his aunt, the dentist, the cook, the lawyer, "
            "the receptionist, "
            "my colleague, the coach, the librarian"
        ),
        _words("teacher neighbour doctor boss friend host guide colleague"),
        Sides(
            _words("kind friendly patient generous honest helpful polite thoughtful warm gentle wise cheerful"),
            _words("rude selfish arrogant cruel careless lazy dishonest unkind impatient cold stubborn greedy"),
        ),
        Sides(_words("kindness patience wit warmth grace wisdom"), _words("anger envy prejudice greed malice lies")),
    ),
    "thing": Domain(
        _phrases(
            "the phone, the coat, the chair, the lamp, the bicycle, the laptop, the kettle, the tent, the camera, "
            "the mattress, the jacket, the radio, the watch, the printer, the keyboard, the umbrella, the backpack, "
            "the oven, the sofa, the garden"
        ),
        _words("phone coat chair bicycle camera jacket watch lamp"),
        Sides(
            _words("sturdy reliable handy handsome practical durable stylish quick solid beautiful quiet efficient"),
            _words("flimsy faulty useless shoddy ugly awkward broken unreliable cheap slow worthless fragile"),
        ),
        Sides(
            _words("style quality character colour comfort strength"),
            _words("faults scratches errors stains rust cracks"),
        ),
    ),
}

PEOPLE = _phrases("I, we, they, my sister, my parents, the children, our friends, most people, her family")
"""Who judges; what stands after them is in the past, which is the same for one and for many."""

OBJECTS = _phrases("me, us, them, my sister, my parents, the children, our friends, most people, her family")
"""Whom it pleases."""

DEGREES = _phrases("very, really, quite, truly, rather, so, absolutely, extremely, surprisingly, just")
"""How much."""

TIMES = _phrases("today, tonight, this morning, these days, at the moment, this week, right now")
"""When somebody feels so."""

ASIDES = _phrases(
    """after all we had been through, to be frank, in my opinion, whatever the papers said, as far as I can tell,
    after two long hours, even with the best of intentions, for all the money we had paid, at the end of the week,
    all things considered, in spite of what my friends had told me, to tell you the truth, looking back,
    when everything is said and done, on the whole, if you ask me"""
)
"""What stands between a negation and its word in the sample, ..."""

HELD_ASIDES = _phrases(
    """in spite of all the papers had told us, after everything my friends had paid, looking back at the long week,
    to be quite frank with you, as far as my friends and I can tell, with all we had been told at the end of it,
    whatever the best of my friends said, after all the money and the two long hours"""
)
"""... and in the contrast set: other phrases, of the same words."""

RELATIVES = _phrases(
    "that we chose last week, we had heard so much about, that my parents found for us, I told you about, "
    "that everybody was talking about, we waited for all year, that her friends had picked, my sister paid for"
)
"""Says which, without a judgement."""

NEUTRAL = _phrases(
    "I had not been there before, we did not stay long, nobody had told us about it, it was not our first time, "
    "we had no plans for that day, I don't write about such things often, my sister could not come with us, "
    "we had never heard of it before, I did not pay for it, it did not take long"
)
"""Negations that judge nothing."""


@cache
def held_out_of() -> dict[str, str]:
    """The kind of sentence that each word that judges is held out of: in turn within a list, opposites together."""
    sides = [*OPPOSITES, *GENERAL, *FEELINGS, *LIKING, *PLEASING, *BEGINNINGS]
    sides += [side for domain in DOMAINS.values() for side in (*domain.adjectives, *domain.qualities)]
    found: dict[str, str] = {}
    for side in sides:
        for position, word in enumerate(side):
            found.setdefault(word, KINDS[position % len(KINDS)])
    return found


def past(verb: str) -> str:
    """The past of a verb of these lists."""
    if verb == "regret":
        return "regretted"
    if verb.endswith("e"):
        return verb + "d"
    return verb[:-1] + "ied" if verb.endswith("y") and verb[-2] not in "aeo" else verb + "ed"


def article(word: str) -> str:
    """The word after "a" or "an"; "honest" begins with a vowel, "useless" does not."""
    vowel = word[0] in "aeio" or word.startswith(("un", "ug", "honest"))
    return f"{'an' if vowel else 'a'} {word}"
