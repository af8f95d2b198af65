"""One contract for the mock, the live service and other servers: the same clauses against any base URL.

`clauses/` judges and touches nothing: `reading` and `dialect` say what an exchange shows, `table` and `relations` hold
what must be so. The files beside it drive a target: `cases` and `strategies` say what is asked, `http_client` asks,
`runner` and `report` are a run. `learn`, `drift` and `fuzz` are three uses of the same parts.
"""
