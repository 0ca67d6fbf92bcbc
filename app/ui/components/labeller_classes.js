// The classes of the labelling desk: key, colour, name and count; add one, rename one.

function bindClasses(s) {
  const list = s.root.querySelector(".classes ul");
  list.onclick = (event) => {
    const button = event.target.closest("button");
    const row = event.target.closest("li");
    if (!button || !row) return;
    if (button.classList.contains("rename")) rename(s, row);
    else {
      name(s, row.dataset.name);
      showAll(s);
      s.stage.focus({ preventScroll: true });
    }
  };
  const form = s.root.querySelector(".add");
  const input = form.querySelector("input");
  form.onsubmit = (event) => {
    event.preventDefault();
    const typed = input.value.trim();
    input.value = "";
    if (!typed) return;
    actOnClass(s, { does: "add", name: typed });
    say(s, `Class ${typed} added`);
    // The next class is often typed right after; Escape goes back to the photos.
    if (s.data.classes.length > 2) s.stage.focus({ preventScroll: true });
    showAll(s);
  };
  input.onkeydown = (event) => {
    if (event.key === "Escape") s.stage.focus({ preventScroll: true });
  };
}

function rename(s, row) {
  const old = row.dataset.name;
  const input = element("input", "renaming");
  input.value = old;
  input.setAttribute("aria-label", `New name of ${old}`);
  row.replaceChildren(input);
  row.dataset.renaming = "yes";
  input.select();
  input.focus();
  let left = false;
  const leave = (keep) => {
    if (left) return;
    left = true;
    const typed = input.value.trim();
    delete row.dataset.renaming;
    delete row.dataset.name;
    if (keep && typed && typed !== old) actOnClass(s, { does: "rename", was: old, name: typed });
    showAll(s);
    s.stage.focus({ preventScroll: true });
  };
  input.onkeydown = (event) => {
    if (event.key === "Enter") leave(true);
    else if (event.key === "Escape") leave(false);
    else return;
    event.preventDefault();
  };
  input.onblur = () => leave(true);
}

// Counts as they will be once what is waiting is stored.
function countsNow(s) {
  const counts = new Map(s.data.classes.map((entry) => [entry.name, entry.count]));
  const add = (className, by) => counts.set(className, (counts.get(className) ?? 0) + by);
  for (const { does, ids, name: to, seen } of s.waiting) {
    if (does !== "label") continue;
    for (const id of ids) {
      if (seen[id]) add(seen[id], -1);
      add(to, 1);
    }
  }
  return counts;
}

function showClasses(s) {
  const list = s.root.querySelector(".classes ul");
  const known = new Set(s.data.classes.map((entry) => entry.name));
  const coming = s.waiting.filter(({ does, name: to }) => does === "add" && !known.has(to));
  const entries = [
    ...s.data.classes,
    ...coming.map(({ name: to }) => ({ name: to, key: "", colour: "", count: 0, waiting: true })),
  ];
  const counts = countsNow(s);
  while (list.children.length > entries.length) list.lastChild.remove();
  while (list.children.length < entries.length) list.append(element("li"));
  entries.forEach((entry, at) => showClass(s, list.children[at], entry, counts));
  s.root.querySelector(".classes").classList.toggle("none-yet", s.data.classes.length < 2);
}

function showClass(s, row, entry, counts) {
  if (row.dataset.renaming) return;
  if (row.dataset.name !== entry.name || !row.firstChild) {
    row.dataset.name = entry.name;
    const choose = element("button", "choose");
    choose.append(element("kbd"), element("span", "swatch"), element("span", "name"));
    choose.append(element("span", "count"));
    const change = element("button", "rename", "Rename");
    change.setAttribute("aria-label", `Rename ${entry.name}`);
    row.replaceChildren(choose, change);
  }
  const [choose, change] = row.children;
  const [key, swatch, named, count] = choose.children;
  key.textContent = entry.key;
  key.hidden = !entry.key;
  swatch.style.background = entry.colour;
  named.textContent = entry.name;
  count.textContent = (counts.get(entry.name) ?? 0).toLocaleString("en");
  row.classList.toggle("waiting", Boolean(entry.waiting));
  change.hidden = Boolean(entry.fixed || entry.waiting || s.data.readOnly);
  choose.disabled = s.data.readOnly;
  choose.setAttribute("aria-keyshortcuts", entry.key);
}

// The chip that tells a photo's class: outlined and pulsing while it waits, solid once stored.
function showChip(s, chip, id, guess) {
  const said = labelOf(s, id);
  const shown = said ?? guess;
  const entry = s.data.classes.find(({ name: known }) => known === shown);
  chip.hidden = !shown;
  chip.className = `chip ${said ? (isWaiting(s, id) ? "pending" : "stored") : "guess"}`;
  chip.style.setProperty("--class", entry?.colour || "#7b8594");
  chip.textContent = said ? shown : shown && `${shown}?`;
}
