// A wall of photos in an order that stays: select some and press their class, or accept the guess
// for all that are left.

function bindWall(s) {
  const wall = s.root.querySelector(".wall");
  wall.onclick = (event) => {
    const tile = event.target.closest(".tile");
    if (!tile || s.data.readOnly) return;
    s.focused = Number(tile.dataset.index);
    toggle(s, s.focused, event.shiftKey);
    showAll(s);
  };
  wall.onfocusin = null;
  wall.addEventListener("focusin", (event) => {
    const tile = event.target.closest(".tile");
    if (tile) s.focused = Number(tile.dataset.index);
  });
  s.root.querySelector(".accept").onclick = () => {
    acceptRest(s);
    showAll(s);
  };
  s.root.querySelector(".next").onclick = () => nextPage(s);
  s.root.querySelector(".all").onclick = () => {
    if (s.selected.size) s.selected.clear();
    else selectAll(s);
    showAll(s);
  };
}

function wallKey(s, event) {
  const { key } = event;
  if (lookKey(s, event)) return true;
  if (key === " ") toggle(s, s.focused, event.shiftKey);
  else if (key === "Enter") acceptRest(s);
  else if (key === "Escape") s.selected.clear();
  else if (key === "s" || key === "S") {
    skip(s, aimed(s));
    s.selected.clear();
  } else return false;
  return true;
}

// The keys that only look: they work where nobody may label, too.
function lookKey(s, { key }) {
  const wall = s.root.querySelector(".wall");
  const to = destination(wall, s.focused, key);
  if (to !== null) {
    s.focused = to;
    wall.children[to]?.focus();
  } else if (key === "PageDown") nextPage(s);
  else return false;
  return true;
}

// What a key is about: the selection, or else the tile that has the focus.
function aimed(s) {
  const { photos } = s.data;
  if (s.selected.size) return photos.map(({ id }) => id).filter((id) => s.selected.has(id));
  const photo = photos[s.focused];
  return photo ? [photo.id] : [];
}

function nameOnWall(s, className) {
  const alone = !s.selected.size;
  const ids = aimed(s);
  const photo = s.data.photos.find(({ id }) => id === ids[0]);
  label(s, ids, className, photo?.source);
  s.selected.clear();
  if (!alone) return;
  s.focused = Math.min(s.data.photos.length - 1, s.focused + 1);
  s.root.querySelector(".wall").children[s.focused]?.focus();
}

// All photos of the page that nobody has said anything about are what they are guessed to be.
function acceptRest(s) {
  const rest = unsaid(s);
  if (!rest.length || !rest[0].guess) return;
  const ids = rest.map(({ id }) => id);
  label(s, ids, rest[0].guess, rest[0].source);
  s.selected.clear();
}

function unsaid(s) {
  return s.data.photos.filter(({ id }) => !labelOf(s, id) && !s.skipped.has(id));
}

function nextPage(s) {
  act(s, { does: "next" });
  say(s, "Next photos");
}

function selectAll(s) {
  s.data.photos.forEach(({ id }) => s.selected.add(id));
  say(s, `${s.selected.size} selected`);
}

function toggle(s, index, range) {
  const { photos } = s.data;
  if (range && s.anchor !== null) {
    const [from, to] = [s.anchor, index].sort((a, b) => a - b);
    photos.slice(from, to + 1).forEach(({ id }) => s.selected.add(id));
  } else {
    const { id } = photos[index];
    if (!s.selected.delete(id)) s.selected.add(id);
    s.anchor = index;
  }
  say(s, `${s.selected.size} selected`);
}

function showWall(s) {
  const wall = s.root.querySelector(".wall");
  const { photos } = s.data;
  while (wall.children.length > photos.length) wall.lastChild.remove();
  while (wall.children.length < photos.length) wall.append(newTile());
  photos.forEach((photo, index) => showTile(s, wall.children[index], photo, index));
  const rest = unsaid(s);
  const accept = s.root.querySelector(".accept");
  accept.hidden = !rest.length || !rest[0].guess || s.data.readOnly;
  const many = rest.length === photos.length ? `all ${rest.length}` : `the other ${rest.length}`;
  accept.firstChild.textContent = `Accept ${many} as ${rest[0]?.guess}`;
  const next = s.root.querySelector(".next");
  next.classList.toggle("wanted", !rest.length);
  s.root.querySelector(".all").textContent = s.selected.size ? "Select none" : "Select all";
  const count = s.selected.size;
  s.root.querySelector(".about").textContent = count
    ? `${count} selected: press the key of their class`
    : s.data.about;
}

function newTile() {
  const tile = element("button", "tile");
  const picture = newPicture(tile);
  tile.append(picture, element("span", "tick", "✓"), element("span", "chip"));
  return tile;
}

function showTile(s, tile, photo, index) {
  const [picture, , chip] = tile.children;
  showPicture(tile, picture, photo, index);
  picture.alt = "";
  showChip(s, chip, photo.id, photo.guess);
  const said = labelOf(s, photo.id);
  const on = s.selected.has(photo.id);
  tile.classList.toggle("selected", on);
  tile.classList.toggle("skipped", s.skipped.has(photo.id) && !said);
  tile.setAttribute("aria-pressed", on);
  tile.tabIndex = index === s.focused ? 0 : -1;
  const spoken = said ? `labelled ${said}` : photo.guess ? `perhaps ${photo.guess}` : "no label";
  tile.setAttribute("aria-label", `${photo.name}, ${spoken}`);
  tile.title = photo.name;
}
