"""What a test holds. To it "the mock" is a process or a thread with an address, in one of two forms.

`RunningMock` is a mock that runs somewhere: its address, its control API (`ControlClient`) and its sessions.
`MockServer` is one that runs in a thread of this process. A `Session` is one namespace of it: set up here, seen in
`SessionJournal`. The mock of a pytest run is a `RunningMock` too (`mock_of_run`), whose process is held by a
`MockLease`; `plugin` gives sessions to tests. Only `MockServer` and `asgi_app` import the server, and
`fixture_answers` pydantic; all else needs the standard library and pytest.
"""
