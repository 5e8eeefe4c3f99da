"""The word lists of the text rules. English, short, and public: whoever is judged by them can read them."""

from typing import Final


def listed(words: str) -> frozenset[str]:
    """The words of a line."""
    return frozenset(words.split())


ARTICLES: Final = listed("a an the")
NUMBER_WORDS: Final = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12",
}  # fmt: skip
NEGATORS: Final = listed(
    "not no never none nobody nothing neither nor cannot without isn't aren't wasn't weren't don't doesn't didn't "
    "hasn't haven't hadn't can't couldn't won't wouldn't shouldn't mustn't false incorrect untrue impossible"
)
GLUE: Final = listed(
    "a an the is are was were be been being am do does did has have had will would can could should may might must of "
    "in on at to from by with for about as into and or but that this these those there here it its he she they them "
    "his her their i you we my our your so then than also just only very please answer question correct option choice "
    "sentiment topic risk level class category review text because if when which who whom whose what where how why "
    "thus therefore according based"
)
"""Words that carry no fact of their own."""

CONTRASTS: Final = tuple(
    map(
        listed,
        (
            "red pink orange yellow green blue purple violet brown black white grey gray silver golden",
            "monday tuesday wednesday thursday friday saturday sunday",
            "january february march april may june july august september october november december",
            "high medium low",
            "positive negative neutral",
            "true false",
            "open opened opens reopen reopened reopens close closed closes",
            "before after",
            "above below",
            "north south east west",
            "increase increased increases rise rises rose decrease decreased decreases fall falls fell",
            "bought sold",
            "buy sell",
            "sender receiver",
            "male female",
            "man woman",
            "boy girl",
            "brother sister",
            "mother father",
            "son daughter",
            "morning afternoon evening night",
            "hot cold",
            "always never",
            "all none",
            "more less fewer",
            "first last",
            "won lost",
            "alive dead",
            "safe unsafe dangerous",
            "legal illegal",
        ),
    )
)
"""Words of one group exclude each other."""

ALIKE: Final = {
    "gray": "grey", "opened": "open", "opens": "open", "reopen": "open", "reopened": "open", "reopens": "open",
    "closed": "close", "closes": "close", "increased": "increase", "increases": "increase", "rise": "increase",
    "rises": "increase", "rose": "increase", "decreased": "decrease", "decreases": "decrease", "fall": "decrease",
    "falls": "decrease", "fell": "decrease", "fewer": "less", "unsafe": "dangerous",
}  # fmt: skip
"""Words of one group that say the same."""
