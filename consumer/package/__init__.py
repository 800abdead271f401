"""The readable part of a copy package: what was stored about a person, on one page for that person.

Pure: events go into an `Account`, the account and the `Facts` of the package become a page.
"""
