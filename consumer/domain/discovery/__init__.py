"""Content discovery as values: what was asked, which hours it has to answer for, and what has been said of them."""
