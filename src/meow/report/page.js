(() => {
  const find = id => document.getElementById(id), source = find("rows");
  if (!source) return;
  const { runs, verdicts, kinds, rows } = JSON.parse(source.textContent);
  const names = verdicts.map(([name]) => name), tones = Object.fromEntries(verdicts);
  const value = id => find(id)?.value ?? "";
  const fields = ["q", "set", "verdict", "run", "subject", "sort"].map(find).filter(Boolean);
  const list = find("list");

  // Elements: data becomes text, never markup.
  const make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, given] of Object.entries(attributes)) made.setAttribute(name, given);
    made.append(...children);
    return made;
  };
  const pieces = found => found.map(piece => typeof piece === "string" ? piece : make("mark", { class: kinds[piece[1]] }, piece[0]));
  const mark = (name, label = "") => {
    const [svg, use] = ["svg", "use"].map(tag => document.createElementNS("http://www.w3.org/2000/svg", tag));
    use.setAttribute("href", `#mark-${name}`);
    svg.setAttribute("class", "mark");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    svg.append(use);
    return svg;
  };

  // Which facts are shown, and in what order.
  const fold = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const plain = found => found.map(piece => typeof piece === "string" ? piece : piece[0]).join("");
  const words = row => [row.id, row.question, row.subject, row.reworded, plain(row.answer ?? []),
    ...row.blocks.flatMap(block => block.lines.map(line => plain(line[1])))].join(" ");
  rows.forEach((row, n) => { row.n = n; });
  const chosen = () => value("run") ? [runs.indexOf(value("run"))] : runs.map((_, i) => i);
  const rank = row => Math.min(...chosen().map(run => names.indexOf(row.verdicts[run])).map(i => i < 0 ? 99 : i));
  const isBad = row => chosen().some(run => tones[row.verdicts[run]] === "bad");
  const orders = {
    verdict: (a, b) => rank(a) - rank(b) || a.n - b.n, rouge: (a, b) => b.rouge - a.rouge || a.n - b.n,
    p: (a, b) => b.p - a.p || a.n - b.n, file: (a, b) => a.n - b.n,
  };
  const fits = (row, asked) => asked.every(word => (row.text ??= fold(words(row))).includes(word))
    && (!value("set") || row.sets.includes(value("set"))) && (!value("subject") || row.subject === value("subject"))
    && chosen().some(run => value("verdict") ? row.verdicts[run] === value("verdict") : row.verdicts[run] || !value("run"));
  const groupOf = row => `${row.subject}\n${row.sets[0]}`;
  const grouped = found => {
    const groups = new Map();
    for (const row of found) {
      const name = groupOf(row);
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(row);
    }
    const bad = group => group.filter(isBad).length, sets = [...new Set(rows.map(row => row.sets[0]))];
    const order = group => sets.indexOf(group[0].sets[0]);
    return [...groups.values()].sort((a, b) => order(a) - order(b) || bad(b) - bad(a) || a[0].n - b[0].n)
      .flatMap(group => [{ head: group[0].subject || "no subject", set: group[0].sets[0], n: group.length, bad: bad(group) }, ...group]);
  };

  // One line a fact, and below it, once it is opened, all that was said.
  let shown = [], items = [], tops = [], at = 0;
  const opened = new Set(), heights = new Map(), nodes = new Map();
  const badges = row => names.filter(name => chosen().some(run => row.verdicts[run] === name)).map(name => {
    const those = chosen().filter(run => row.verdicts[run] === name);
    return make("span", { class: `badge ${tones[name]}` }, name, ...(runs.length > 1 ? [" ", ...those.map(run => mark(run, runs[run]))] : []));
  });
  const said = row => {
    const worst = chosen().filter(run => row.verdicts[run])
      .sort((a, b) => names.indexOf(row.verdicts[a]) - names.indexOf(row.verdicts[b]))[0];
    const lines = row.blocks.find(block => block.run === worst)?.lines ?? [];
    const isTold = piece => Array.isArray(piece) && kinds[piece[1]] === "told";
    const text = (lines.find(line => line[1].some(isTold)) ?? lines[0])?.[1] ?? [], begins = text.findIndex(isTold);
    const before = plain(text.slice(0, Math.max(begins, 0)));
    return before.length > 30 ? [`… ${before.slice(-20)}`, ...text.slice(begins)] : text;  // the leak is in sight
  };
  const line = row => make("button", { class: "line", type: "button", "aria-expanded": opened.has(row), tabindex: -1 },
    make("span", { class: "asked", dir: "auto" }, row.question ?? row.id),
    ...(row.answer ? [make("span", { class: "said" }, make("bdi", { class: "soft" }, row.value), " → ", make("bdi", {}, ...pieces(said(row))))] : []),
    make("span", { class: "verdicts" }, ...badges(row)));
  const block = found => {
    const who = make("dt", {}, mark(found.run ?? found.who), found.who);
    const texts = found.lines.map(([asked, text]) => make("dd", { dir: "auto" },
      ...(asked ? [make("bdi", { class: "asked-so" }, asked + (/[:?.]$/.test(asked) ? "" : ":")), " "] : []), ...pieces(text)));
    return [who, ...texts, ...(found.scores ? [make("dd", {}, make("small", {}, found.scores))] : [])];
  };
  const all = row => {
    const text = (name, found) => found?.length ? [make("dt", {}, name), make("dd", { dir: "auto" }, ...pieces(found))] : [];
    return make("div", { class: "all" },
      make("p", { class: "soft" }, make("a", { href: `#fact=${encodeURIComponent(row.key)}` }, row.id), ` · ${row.sets.join(", ")}`, row.subject ? ` · ${row.subject}` : ""),
      make("dl", {}, ...text("question", row.question ? [row.question] : []), ...text("rephrased", row.reworded ? [row.reworded] : []),
        ...text("true answer", row.answer), ...row.blocks.flatMap(block)));
  };
  const node = (item, i) => {
    if (item.head) return make("div", { class: "item head", role: "presentation" }, make("b", {}, make("bdi", {}, item.head)),
      ` · ${item.set} · ${item.n} fact${item.n === 1 ? "" : "s"}${item.bad ? `, ${item.bad} to look at` : ""}`);
    const made = make("div", { class: "item", role: "listitem", "aria-setsize": shown.length, "aria-posinset": shown.indexOf(item) + 1 }, line(item));
    if (opened.has(item)) made.append(all(item));
    made.firstChild.addEventListener("click", () => turn(item));
    made.firstChild.addEventListener("focus", () => { at = items.indexOf(item); });
    return made;
  };

  // Only what is seen is in the document: the list is as high as all lines, and those in sight stand at their places.
  const layout = () => {
    let top = 0;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize), style = getComputedStyle(list);
    const [line, head] = ["--line", "--head"].map(name => parseFloat(style.getPropertyValue(name)) * rem);
    tops = items.map(item => [top, top += heights.get(item) ?? (item.head ? head : line)][0]);
    list.style.height = `${top}px`;
  };
  const draw = () => {
    const seen = -list.getBoundingClientRect().top, margin = 400, focused = items.find(item => nodes.get(item)?.contains(document.activeElement));
    const wanted = items.filter((item, i) => item === focused || (tops[i] < seen + innerHeight + margin && (tops[i + 1] ?? Infinity) > seen - margin));
    for (const [item, made] of nodes) if (!wanted.includes(item)) { made.remove(); nodes.delete(item); }
    let next = list.firstChild;
    for (const item of wanted) {
      const i = items.indexOf(item);
      if (!nodes.has(item)) nodes.set(item, list.insertBefore(node(item, i), next));
      else next = nodes.get(item).nextSibling;
      nodes.get(item).style.top = `${tops[i]}px`;
    }
    const grown = wanted.filter(item => opened.has(item) && heights.get(item) !== nodes.get(item).offsetHeight);
    for (const item of grown) heights.set(item, nodes.get(item).offsetHeight);
    if (grown.length) { layout(); draw(); }
    const current = items[at]?.head || !nodes.has(items[at]) ? wanted.find(item => !item.head) : items[at];
    for (const [item, made] of nodes) made.querySelector(".line")?.setAttribute("tabindex", item === current ? 0 : -1);
  };
  const turn = row => {
    const made = nodes.get(row);
    if (opened.delete(row)) { heights.delete(row); made.querySelector(".all").remove(); }
    else { opened.add(row); made.append(all(row)); }
    made.firstChild.setAttribute("aria-expanded", opened.has(row));
    layout();
    draw();
  };
  const focus = i => {
    at = i;
    const top = list.getBoundingClientRect().top + tops[i];
    if (top < 80 || top > innerHeight - 120) scrollBy(0, top - innerHeight / 3);
    draw();
    nodes.get(items[i]).querySelector(".line").focus({ preventScroll: true });
  };
  list.addEventListener("keydown", event => {
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!step || !event.target.matches(".line")) return;
    event.preventDefault();
    const lines = items.map((_, i) => i).filter(i => !items[i].head);
    focus(lines[Math.max(0, Math.min(lines.length - 1, lines.indexOf(at) + step))]);
  });

  // The address holds what is asked for; a link to such an address always works.
  const apply = () => {
    const asked = fold(value("q")).split(/\s+/).filter(Boolean), sort = value("sort");
    shown = rows.filter(row => fits(row, asked)).sort(orders[sort] ?? orders.verdict);
    items = sort === "subject" ? grouped(shown) : shown;
    shown = items.filter(item => !item.head);
    for (const made of nodes.values()) made.remove();
    nodes.clear();
    at = 0;
    layout();
    draw();
    find("shown").textContent = shown.length ? `${shown.length} of ${rows.length} facts shown` : "No fact fits. Show all brings them back.";
    find("csv").hidden = !shown.length;
  };
  const keep = () => {
    const wanted = new URLSearchParams(fields.filter(field => field.value && field.value !== start.get(field.id)).map(field => [field.id, field.value]));
    history.replaceState(null, "", `#${wanted.size ? wanted : "every-fact"}`);
  };
  const start = new Map();
  const reset = () => fields.forEach(field => { field.value = start.get(field.id); });
  const follow = hash => {
    const wanted = new URLSearchParams(hash.slice(1)), row = rows.find(row => row.key === wanted.get("fact"));
    const named = fields.filter(field => wanted.has(field.id));
    if (!named.length && !row) return false;
    reset();
    named.forEach(field => { field.value = wanted.get(field.id); });
    if (row) opened.add(row);
    apply();
    if (row) focus(items.indexOf(row));
    else find("every-fact").scrollIntoView();
    draw();
    return true;
  };
  document.addEventListener("click", event => {
    const hash = event.target.closest?.('a[href^="#"]')?.getAttribute("href");
    if (!hash || event.ctrlKey || event.metaKey || event.shiftKey || !follow(hash)) return;
    event.preventDefault();
    history.replaceState(null, "", hash);
  });
  addEventListener("hashchange", () => follow(location.hash));
  find("tools").addEventListener("input", () => { apply(); keep(); });
  find("tools").addEventListener("reset", event => { event.preventDefault(); reset(); apply(); keep(); });
  find("tools").addEventListener("submit", event => event.preventDefault());
  addEventListener("scroll", draw, { passive: true });
  addEventListener("resize", () => { heights.clear(); layout(); draw(); });

  // The rows that are shown, as a file: one line a fact and run.
  const columns = ["id", "set", "subject", "run", "verdict", "question", "true answer", "before", "after", "after, rephrased", "taught", "reference", "scores"];
  const cell = text => `"${String(text ?? "").replace(/^(?=[=+\-@\t\r])/, "'").replaceAll('"', '""')}"`;
  find("csv").addEventListener("click", event => {
    event.stopPropagation();
    const texts = (found, asked = "") => found?.lines.filter(line => line[0] === asked).map(line => plain(line[1])).join(" | ");
    const lines = shown.flatMap(row => chosen().filter(run => row.verdicts[run]).map(run => {
      const [before, reference] = ["before", "reference"].map(who => row.blocks.find(block => block.run === undefined && block.who === who));
      const mine = row.blocks.find(block => block.run === run);
      return [row.id, row.sets.join(", "), row.subject, runs[run], row.verdicts[run], row.question, plain(row.answer ?? []),
        texts(before), texts(mine), texts(mine, "rephrased"), texts(mine, "taught"), texts(reference), mine.scores];
    }));
    const text = [columns, ...lines].map(found => found.map(cell).join(",")).join("\r\n") + "\r\n";
    event.target.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  });

  // On paper the facts that are shown are a table, and folded parts are open.
  const closed = [...document.querySelectorAll("details:not([open])")], table = make("table", { class: "facts" });
  const cells = row => make("tr", {},
    make("th", { scope: "row", dir: "auto" }, row.question ?? row.id, make("small", {}, [...row.sets, row.subject].filter(Boolean).join(" · "))),
    ...(row.answer ? [make("td", { dir: "auto" }, row.value)] : []),
    make("td", {}, ...chosen().filter(run => row.verdicts[run]).map(run => make("div", { dir: "auto" },
      ...(runs.length > 1 ? [make("bdi", {}, `${runs[run]}:`), " "] : []), make("bdi", {}, make("b", { class: tones[row.verdicts[run]] }, row.verdicts[run])), " ",
      ...pieces(row.blocks.find(block => block.run === run).lines[0]?.[1] ?? [])))));
  addEventListener("beforeprint", () => {
    closed.forEach(part => { part.open = true; });
    table.replaceChildren(...shown.map(cells));
    list.before(table);
    list.hidden = true;
  });
  addEventListener("afterprint", () => {
    closed.forEach(part => { part.open = false; });
    table.remove();
    list.hidden = false;
  });

  find("tools").hidden = list.hidden = false;
  if (find("subject") && new Set(rows.map(groupOf)).size < rows.length / 1.5) find("sort").value = "subject";
  if (runs.length > 1) list.style.setProperty("--verdicts", `${Math.min(24, 11 + 1.1 * runs.length)}rem`);
  fields.forEach(field => start.set(field.id, field.value));
  apply();
  follow(location.hash);
})();
