"""Expressions that compile, as a rule: of any shape, with macros in macros."""

from hypothesis import strategies as st

_PATTERNS = st.text("ab*+?()[]|0123,^$.", max_size=8) | st.sampled_from(
    ["a*b", "(a|b)*c", "(a{0,30}){0,30}", "^[a-z]+$", "[^a]{2}"]
)


@st.composite
def conditions(draw: st.DrawFn, roots: list[str], depth: int = 4) -> str:
    """A boolean expression over values at `roots`, such as `properties.a`."""
    shapes = ["both", "compare", "in", "text", "macro", "has", "not", "pick"]
    inner, value = conditions(roots, depth - 1), values(roots, depth - 1)
    match draw(st.sampled_from(shapes if depth > 0 else ["compare"])):
        case "both":
            return f"({draw(inner)} {draw(st.sampled_from(['&&', '||']))} {draw(inner)})"
        case "in":
            return f"({draw(value)} in {draw(lists(roots, depth - 1))})"
        case "text":
            method = draw(st.sampled_from(["contains", "startsWith", "endsWith"]))
            if draw(st.booleans()):
                return f"dyn({draw(value)}).matches('{draw(_PATTERNS)}')"
            return f"dyn({draw(value)}).{method}(dyn({draw(value)}))"
        case "macro":
            macro = draw(st.sampled_from(["all", "exists", "exists_one"]))
            name = draw(st.sampled_from(["x", "y"]))
            body = draw(conditions([*roots, name], depth - 1))
            return f"{draw(lists(roots, depth - 1))}.{macro}({name}, {body})"
        case "has":
            return f"has({draw(st.sampled_from(roots))}.a)"
        case "not":
            return f"!{draw(inner)}"
        case "pick":
            return f"({draw(inner)} ? {draw(inner)} : {draw(inner)})"
    sign = draw(st.sampled_from(["==", "!=", "<", ">="]))
    return f"(dyn({draw(value)}) {sign} dyn({draw(value)}))"


@st.composite
def values(draw: st.DrawFn, roots: list[str], depth: int) -> str:
    """An expression that gives anything."""
    leaves = [*roots, *roots, "1", "1.5", "'a'", "''", "null", "true"]
    shape = draw(st.sampled_from(["leaf", "leaf", "plus", "list", "index", "size", "string"]))
    if depth <= 0 or shape == "leaf":
        return draw(st.sampled_from(leaves))
    inner = values(roots, depth - 1)
    match shape:
        case "plus":
            return f"(dyn({draw(inner)}) {draw(st.sampled_from('+-*/%'))} dyn({draw(inner)}))"
        case "index":
            return f"dyn({draw(inner)})[dyn({draw(inner)})]"
        case "size" | "string":
            return f"{shape}(dyn({draw(inner)}))"
    return draw(lists(roots, depth - 1))


@st.composite
def lists(draw: st.DrawFn, roots: list[str], depth: int) -> str:
    """An expression that gives a list or a map, or what may be one."""
    shape = draw(st.sampled_from(["root", "listed", "mapped", "map", "filter", "sum"]))
    if depth <= 0 or shape == "root":
        return draw(st.sampled_from(roots))
    inner, name = lists(roots, depth - 1), draw(st.sampled_from(["x", "y"]))
    value = values(roots, depth - 1)
    match shape:
        case "listed":
            return f"[dyn({draw(value)}), dyn({draw(value)})]"
        case "mapped":
            return f"{{'a': dyn({draw(value)}), 'b': dyn({draw(value)})}}"
        case "map":
            return f"{draw(inner)}.map({name}, dyn({draw(values([*roots, name], depth - 1))}))"
        case "filter":
            return f"{draw(inner)}.filter({name}, {draw(conditions([*roots, name], depth - 1))})"
    return f"(dyn({draw(inner)}) + dyn({draw(inner)}))"
