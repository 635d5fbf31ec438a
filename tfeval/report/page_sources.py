"""The sources of a page: a number where each is cited, one list at the end that leads back."""

from __future__ import annotations

from bs4 import BeautifulSoup, NavigableString, PageElement, Tag

_LINES = ("Source: ", "Sources: ")
#: So many places where a source is cited are led back to; the first is always among them.
_BACK = 5


def number_sources(soup: BeautifulSoup, main: Tag) -> None:
    """Replace every citation by its number, and list each once at the end of the main part.

    Parameters
    ----------
    soup : BeautifulSoup
        The page.
    main : Tag
        Its main part; a page that cites nothing is left as it is.
    """
    cited = _Sources(soup)
    for place in main.select(".tfeval-under > p, figcaption > p, td"):
        word = next((word for word in _LINES if place.get_text().startswith(word)), "")
        first = next((one for one in place.contents if str(one).strip()), None)
        if word or (place.name == "td" and _is_link(first)):
            cited.cite(place, word)
    if cited.listed:
        main.append(cited.section())


def _is_link(node: PageElement | None) -> bool:
    return (
        isinstance(node, Tag) and node.name == "a" and str(node.get("href", "")).startswith("http")
    )


class _Sources:
    def __init__(self, soup: BeautifulSoup) -> None:
        self.soup = soup
        self.listed: dict[str, int] = {}
        self.cited: dict[int, int] = {}

    def cite(self, place: Tag, word: str) -> None:
        """Put numbers in place of the citations that a line or cell holds."""
        made = [self._reference(text) for text in _citations(place, word)]
        place.clear()
        place.append(word)
        for number, reference in enumerate(made):
            if number:
                place.append(" ")
            place.append(reference)

    def _reference(self, text: str) -> Tag:
        number = self.listed.setdefault(text, len(self.listed) + 1)
        self.cited[number] = self.cited.get(number, 0) + 1
        link = self.soup.new_tag("a", attrs={
            "class": "ref", "href": f"#source-{number}", "aria-label": f"Source {number}",
            "id": f"cited-{number}-{self.cited[number]}"})  # fmt: skip
        link.string = f"[{number}]"
        return link

    def section(self) -> Tag:
        """Return the list of sources, each with links back to where it is cited."""
        section = self.soup.new_tag("section", attrs={"class": "sources"})
        heading = self.soup.new_tag("h2", attrs={"id": "sources"})
        heading.string = "Sources"
        listed = self.soup.new_tag("ol")
        for text, number in self.listed.items():
            item = self.soup.new_tag("li", attrs={"id": f"source-{number}"})
            item.extend(list(BeautifulSoup(text, "html.parser").contents))
            for place in range(1, min(self.cited[number], _BACK) + 1):
                back = self.soup.new_tag("a", attrs={
                    "class": "back", "href": f"#cited-{number}-{place}",
                    "aria-label": f"Back to source {number}, place {place}"})  # fmt: skip
                back.string = "↩"
                item.extend([" ", back])
            listed.append(item)
        section.extend([heading, listed])
        return section


def _citations(place: Tag, word: str) -> list[str]:
    """Return the citations of a line: a new one begins where a link follows a semicolon."""
    citations = [""]
    nodes = list(place.contents)
    for node in nodes:
        if _is_link(node) and citations[-1].rstrip().endswith(";"):
            citations[-1] = citations[-1].rstrip().removesuffix(";")
            citations.append("")
        elif _is_link(node) and citations[-1] == word:
            citations[-1] = ""
        # A string of the tree is text: as HTML it is escaped again.
        text = node.output_ready() if isinstance(node, NavigableString) else str(node)
        citations[-1] += text
    return [
        text.removeprefix(word).strip() for text in citations if text.removeprefix(word).strip()
    ]
