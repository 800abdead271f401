"""How a rehearsal's rows are printed: (name, value, whether it is right, or None where anything is)."""


def tell(rows):
    """Print them."""
    for name, value, right in rows:
        print(f"{name:.<46} {value!s:<28} {'' if right is None else 'ok' if right else 'WRONG'}")
