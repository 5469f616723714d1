(() => {
  const find = id => document.getElementById(id), value = id => find(id)?.value ?? "";
  const fold = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const box = find("facts"), cards = [...box.children];
  const said = card => [...card.querySelectorAll("h3, dl")].map(part => part.textContent).join(" ");
  const texts = new Map(cards.map(card => [card, fold(said(card) + " " + card.dataset.subject)]));
  const fields = ["q", "verdict", "subject", "set", "sort"].map(find).filter(Boolean);
  const order = {
    verdict: (a, b) => a.dataset.verdict.localeCompare(b.dataset.verdict),
    rouge: (a, b) => b.dataset.rouge - a.dataset.rouge,
    p: (a, b) => b.dataset.p - a.dataset.p,
    "": (a, b) => a.dataset.n - b.dataset.n,
  };
  let sorted = "";
  const apply = () => {
    const words = fold(value("q")).split(/\s+/).filter(Boolean);
    for (const card of cards) {
      card.hidden = !(words.every(word => texts.get(card).includes(word))
        && ["verdict", "subject", "set"].every(name => !value(name) || card.dataset[name].split("|").includes(value(name))));
    }
    if (value("sort") !== sorted) box.append(...cards.sort(order[""]).sort(order[sorted = value("sort")]));
    find("shown").textContent = `${cards.filter(card => !card.hidden).length} of ${cards.length} facts shown`;
  };
  const follow = () => {
    const wanted = new URLSearchParams(location.hash.slice(1)), named = fields.filter(field => wanted.has(field.id));
    if (!named.length) return;
    find("tools").reset();
    named.forEach(field => { field.value = wanted.get(field.id); });
    apply();
    find("every-fact").scrollIntoView();
  };
  find("tools").addEventListener("input", apply);
  find("tools").addEventListener("reset", () => setTimeout(apply));
  find("tools").addEventListener("submit", event => event.preventDefault());
  addEventListener("hashchange", follow);
  const closed = [...document.querySelectorAll("details:not([open])")];
  addEventListener("beforeprint", () => closed.forEach(part => { part.open = true; }));
  addEventListener("afterprint", () => closed.forEach(part => { part.open = false; }));
  apply();
  follow();
})();
