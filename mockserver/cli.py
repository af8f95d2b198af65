"""thin"""

from __future__ import annotations

import sys

from mockserver.data import shipped
from mockserver.exchange import Answer, Usage
from mockserver.pipeline.respond import Service
from mockserver.profile import default_edition, load_edition
from mockserver.server.app import Mock, create_app
from mockserver.server.clock import FixedClock
from mockserver.server.run import run as serve
from mockserver.server.run import tcp_socket
from mockserver.sources import replay, synthetic, tokens


def run() -> None:
    roots = [shipped("profiles")]
    ed = load_edition(sys.argv[2] if len(sys.argv) > 2 else default_edition(roots), roots)
    fx = replay.Fixtures(replay.load(shipped("fixtures")))

    def answer(req):
        f = fx.find(req)
        m = ed.models[req.model]
        pt = tokens.prompt_tokens(req.messages, m.template_tokens or ed.file.defaults.template_tokens)
        if f:
            return replay.answer_of(f, pt)
        t = synthetic.text_for(replay.last_text(req.messages, "user") or "", 0)
        p = tokens.pieces(t)
        return Answer(p, Usage(pt, len(p) + 1))

    svc = Service(
        ed, answer, lambda r: [t for m in r.messages for t in tokens.texts(m)], ed.file.moderation.rules("edition")
    )
    mock = Mock(svc, FixedClock(ed.file.defaults.created))
    s = tcp_socket("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8777)
    serve(create_app(mock), s, lambda: print("ready", flush=True), 5)
