"""One contract for the mock, the live service and other servers: the same clauses against any base URL.

`reading` and `dialect` say what an exchange shows, `checks` and `relations` hold the clauses, `cases` and `strategies`
what is asked, `runner` and `report` a run. `learn`, `drift` and `fuzz` are three uses of the same parts.
"""
