"""thin"""

from __future__ import annotations
import sys
from mockserver.data import shipped
from mockserver.profile import load_edition, default_edition
from mockserver.pipeline.respond import Service
from mockserver.sources import replay, synthetic, tokens
from mockserver.server.app import Mock, create_app
from mockserver.server.clock import FixedClock
from mockserver.server.run import run as serve, tcp_socket


def run() -> None:
    roots = [shipped("profiles")]
    ed = load_edition(sys.argv[2] if len(sys.argv) > 2 else default_edition(roots), roots)
    fx = replay.Fixtures(replay.load(shipped("fixtures")))

    synth = synthetic.Synthetic(ed, 0)

    def answer(req):
        f = fx.find(req) if req.answer_style is None else None
        return replay.answer_of(f, tokens.prompt_tokens(req, ed)) if f else synth.answer(req)

    svc = Service(
        ed, answer, lambda r: [t for m in r.messages for t in tokens.texts(m)], ed.file.moderation.rules("edition")
    )
    mock = Mock(svc, FixedClock(ed.file.defaults.created))
    s = tcp_socket("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8777)
    serve(create_app(mock), s, lambda: print("ready", flush=True), 5)
