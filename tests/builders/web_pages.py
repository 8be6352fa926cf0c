"""What a page of HTML has in it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """The elements, links and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.shape = []
        self.links = []
        self.attributes = []
        self.text = ""
        self.fields = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.shape.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.links += [value for name, value in attrs if name in ("href", "src", "action")]
        self.attributes += [value for _, value in attrs]
        found = dict(attrs)
        if tag == "input":
            self.fields[found.get("name")] = found.get("value")

    def handle_data(self, data):
        self.text += data
