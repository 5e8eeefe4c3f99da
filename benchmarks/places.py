"""A page's place for what is computed, between two comments. Pure."""


def filled(text: str, content: str, *, begin: str, end: str) -> str:
    """The page with what stands between the comments replaced. Raises ValueError where it has no place for it."""
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not opened or not closed:
        raise ValueError(f"the page has no place for {begin}")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"
