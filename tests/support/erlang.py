"""Erlang expressions within the session's RabbitMQ node, without a `rabbitmqctl` for each."""

from __future__ import annotations

import secrets
import socket
import struct
from typing import Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from notify.stack.rabbitmq import RabbitMQNode
from tests.support.patience import PATIENCE

# It evaluates an expression as `rabbitmqctl eval` does, and answers ok or error.
_SERVE: Final = """
begin
    Answer = fun(Text) ->
        {{ok, Tokens, _}} = erl_scan:string(Text),
        {{ok, Parsed}} = erl_parse:parse_exprs(Tokens),
        {{value, Value, _}} = erl_eval:exprs(Parsed, []),
        unicode:characters_to_binary(io_lib:format("ok ~0tp", [Value]))
    end,
    Serve = fun Serve(Socket) ->
        case gen_tcp:recv(Socket, 0) of
            {{ok, <<"{word}", Text/binary>>}} ->
                Found = try Answer(unicode:characters_to_list(Text))
                    catch Class:Reason ->
                        unicode:characters_to_binary(io_lib:format("~0tp", [{{Class, Reason}}]))
                    end,
                ok = gen_tcp:send(Socket, Found),
                Serve(Socket);
            _ -> gen_tcp:close(Socket)
        end
    end,
    Accept = fun Accept(Listener) ->
        {{ok, Socket}} = gen_tcp:accept(Listener),
        Server = spawn(fun() -> receive go -> Serve(Socket) end end),
        ok = gen_tcp:controlling_process(Socket, Server),
        Server ! go,
        Accept(Listener)
    end,
    Caller = self(),
    spawn(fun() ->
        {{ok, Listener}} = gen_tcp:listen(
            0, [binary, {{packet, 4}}, {{active, false}}, {{ip, {{127, 0, 0, 1}}}}]),
        Caller ! {{evaluator, element(2, inet:port(Listener))}},
        Accept(Listener)
    end),
    receive {{evaluator, Port}} -> Port end
end.
"""

_doors: WeakKeyDictionary[RabbitMQNode, tuple[int, str]] = WeakKeyDictionary()


def node_at(url: str) -> RabbitMQNode:
    """Return the node of an address; it has evaluated an expression before."""
    port = urlsplit(url).port
    return next(node for node in _doors if node.port == port)


def evaluate(node: RabbitMQNode, expression: str) -> str:
    """
    Return the value of an Erlang expression, as text; milliseconds after a node's first one.

    The node must not have been restarted in between.
    """
    if node not in _doors:
        word = secrets.token_hex(16)
        serve = _SERVE.format(word=word)
        _doors[node] = int(node.ctl("eval", serve, timeout=PATIENCE)), word
    port, word = _doors[node]
    text = (word + expression).encode()
    with socket.create_connection((node.host, port), timeout=PATIENCE) as client:
        client.sendall(struct.pack(">I", len(text)) + text)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))[4:].decode()
    assert answer.startswith("ok "), f"{expression}: {answer}"
    return answer.removeprefix("ok ")
