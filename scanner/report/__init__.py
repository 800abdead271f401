"""Reports: one model, five ways to write it. `human` is for a terminal, `machine` for programs, `page` for the rest."""
