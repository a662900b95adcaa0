"""A bundle as a page that a person reads before saying yes: one file, which asks nobody anything.

`content` is what the page says, taken from the manifest (and from an older one's); `treemap` how
sizes become a picture; `page` makes HTML of it, by `page.html.jinja` (jinja2, an extra).
"""
