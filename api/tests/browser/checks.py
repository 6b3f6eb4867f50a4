"""What must hold of the page in each of its states."""


def hosts(page, base):
    """Nothing was asked of another host."""
    own = (base + "/", "data:", "about:")
    assert page.requests and any(url.startswith(base) for url in page.requests)
    assert all(url.startswith(own) for url in page.requests), page.requests


def quiet(page, allowed=None):
    """The console has nothing to say, but for what the browser itself says of answers that are expected."""
    complaints = [one for one in page.complaints if allowed is None or allowed not in str(one)]
    assert not complaints, complaints


def numbers(page, status):
    """What is shown is what the JSON says: exactly in the elements' values, and rounded in their texts."""
    script = """(() => [...document.querySelectorAll('#feature-table tr[data-feature]')].map(row => [
        row.dataset.feature,
        Object.fromEntries([...row.querySelectorAll('[data-field]')].map(cell => [cell.dataset.field, [cell.value, cell.textContent]])),
        row.querySelector('.open').textContent,
        row.innerText.includes('Drift')]))()"""
    shown = {index: rest for index, *rest in page.js(script)}
    compared = 0
    assert len(shown) == len(status["features"]), shown
    for index, (fields, name, drifts) in shown.items():
        feature = status["features"][f"feature_{index}"]
        assert name == feature["name"] and drifts == feature["drift"], (name, feature)
        for field in ("ks_stat", "p_value", "psi"):
            value, text = fields[field]
            if field not in feature:
                assert text == "–", (field, text)
                continue
            assert float(value) == feature[field], (field, value, feature)
            assert abs(float(text) - feature[field]) <= 0.005 * abs(feature[field]), (field, text, feature)
            compared += 1
    assert compared >= 3, shown
    facts = page.js("Object.fromEntries([...document.querySelectorAll('#facts data')].map(one => [one.dataset.field, one.value]))")
    assert int(facts["samples"]) == status["samples"] and int(facts["total"]) == status["window"]["total"], facts
    for test in ("sparse", "diffuse"):
        joint = (status["look"] or {}).get("joint") if "look" in status else None
        if joint:
            assert float(facts[f"{test}_p_value"]) == joint[f"{test}_p_value"], facts
    predictions = status.get("predictions")
    if predictions:
        script = "[...document.querySelectorAll('#predictions tbody tr')].map(row => [row.cells[0].textContent, ...[...row.querySelectorAll('data')].map(one => Number(one.value))])"
        expected = [[one["name"], one["held_out_share"], one["share"]] for one in predictions["classes"]]
        assert page.js(script) == expected
    score = status.get("score")
    if score:
        script = "Object.fromEntries([...document.querySelectorAll('#score data')].map(one => [one.dataset.field, Number(one.value)]))"
        expected = {f"score_{field}": score[field] for field in ("median", "held_out_median", "ks_stat", "p_value")}
        assert page.js(script) == expected


def names(page):
    """Everything that is spoken has a name."""
    unnamed = page.unnamed()
    assert not unnamed, unnamed


def tabbed(page):
    """Tab comes by all controls in their order, and the keyboard alone opens a feature and sorts."""
    page.js("document.activeElement.blur()")
    focusable = """[...document.querySelectorAll('a[href], button, input, summary')].filter(one => one.checkVisibility())"""
    expected = page.js(f"{focusable}.map(one => one.textContent.trim())")
    page.js("document.querySelector('.skip').focus()")
    seen = []
    for _ in expected:
        seen.append(page.js("document.activeElement.textContent.trim()"))
        page.tab()
    assert seen == expected, (seen, expected)
    page.js("document.querySelector('tr[data-feature=\"0\"] .open').focus()")
    page.enter()
    page.wait("document.querySelector('tr[data-feature=\"0\"] .open').getAttribute('aria-expanded') === 'true' && document.querySelectorAll('#feature-0 svg').length > 0")
    assert page.js("document.activeElement.textContent") == page.js("document.querySelector('tr[data-feature=\"0\"] .open').textContent")
    page.enter()
    page.wait("!document.querySelector('#feature-0')")
    page.js("document.querySelector('#feature-table thead button').focus()")
    page.enter()
    assert page.js("document.querySelector('#feature-table th').getAttribute('aria-sort')") == "ascending"
    page.js("document.querySelectorAll('#feature-table thead button')[5].click()")


def narrow(page, width):
    """No sideways scrolling, and no text smaller than can be read."""
    page.wait(f"innerWidth === {width}")
    page.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    wide = page.js("""[...document.querySelectorAll('body *')].filter(one => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 0.5)
        .map(one => one.tagName + '#' + one.id + '.' + one.className + ' ' + one.textContent.slice(0, 30))""")
    assert page.js("document.documentElement.scrollWidth") <= width, wide
    small = page.js("""[...document.querySelectorAll('svg text')].filter(one => one.checkVisibility() && one.textContent)
        .map(one => parseFloat(getComputedStyle(one).fontSize) * one.ownerSVGElement.getBoundingClientRect().width / one.ownerSVGElement.viewBox.baseVal.width)
        .filter(size => size < 9)""")
    assert not small, small


CONTRAST = """(() => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(part => part / 255).map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
    const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
    const behind = (node) => {
        for (; node; node = node.parentElement) {
            const color = parse(getComputedStyle(node).backgroundColor);
            if (color.length < 4 || color[3] === 1) return color;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const node of document.querySelectorAll('body *')) {
        if (!node.checkVisibility() || node.matches('.skip, script, style, noscript')) continue;
        const style = getComputedStyle(node);
        if ([...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim())) {
            const color = parse(node instanceof SVGElement ? style.fill : style.color);
            found.push([ratio(color, behind(node)), 4.5, node.textContent.slice(0, 40)]);
        }
        // Lines and bars that carry meaning.
        for (const [name, property] of [['reference-line', 'stroke'], ['window-line', 'stroke'], ['gap-line', 'stroke'], ['reference-bar', 'fill'], ['window-bar', 'fill'], ['drift-dot', 'fill']]) {
            if (node.classList.contains(name)) found.push([ratio(parse(style[property]), behind(node)), 3, name]);
        }
    }
    return { count: found.length, low: found.filter(([is, least]) => is < least) };
})()"""


def contrast(page):
    """WCAG AA: 4.5 for text, 3 for what is drawn."""
    found = page.js(CONTRAST)
    assert found["count"] > 10 and not found["low"], found
