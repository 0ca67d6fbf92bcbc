// One photo after another. The photo in front and the next two stay as they are; what comes after
// them is replaced whenever the page has learned more.

const STEADY = 2;

// Presses that follow each other faster than this, in milliseconds, leave no time to look at what
// comes next, and replacing its pictures with every press only takes the time of the presses. So
// it stays until a pause, as long as there are enough photos.
const HURRY = 250;
const ENOUGH = 60;

function refill(s) {
  clearTimeout(s.refilling);
  const since = performance.now() - (s.pressed ?? -Infinity);
  if (since < HURRY && s.queue.length - s.at > ENOUGH) {
    s.refilling = setTimeout(() => {
      refill(s);
      showAll(s);
    }, HURRY - since);
    return;
  }
  const kept = s.queue.slice(0, s.at + 1 + STEADY);
  const known = new Set(kept.map((photo) => photo.id));
  const fresh = s.data.photos.filter(
    ({ id }) => !known.has(id) && !s.skipped.has(id) && !s.labels.get(id),
  );
  s.queue = [...kept, ...fresh];
}

function nameInQueue(s, className) {
  const photo = s.queue[s.at];
  if (!photo) return;
  label(s, [photo.id], className, photo.source);
  forward(s);
}

function queueKey(s, key) {
  const photo = s.queue[s.at];
  if (key === "s" || key === "S") {
    if (!photo) return true;
    skip(s, [photo.id]);
    forward(s);
  } else if (key === "Enter" || key === " ") {
    if (photo?.guess) nameInQueue(s, photo.guess);
  } else if (key === "ArrowLeft" || key === "Backspace") s.at = Math.max(0, s.at - 1);
  else if (key === "ArrowRight") forward(s);
  else return false;
  return true;
}

function forward(s) {
  s.at = Math.min(s.queue.length, s.at + 1);
}

function showQueue(s) {
  const view = s.root.querySelector(".queue");
  const photo = s.queue[s.at];
  view.classList.toggle("over", !photo);
  const more = s.waiting.length || !s.data.fresh;
  view.querySelector(".end").textContent = more ? "Fetching more photos…" : s.data.end;
  showStrip(s, view.querySelector(".strip"));
  if (!photo) return;
  const picture = view.querySelector(".large img");
  if (picture.getAttribute("src") !== photo.view) {
    view.querySelector(".large").classList.remove("loaded", "missing");
    picture.onload = () => picture.parentElement.classList.add("loaded");
    picture.onerror = () => picture.parentElement.classList.add("missing");
    picture.src = photo.view;
    picture.alt = photo.name;
  }
  view.querySelector(".why").textContent = s.data.about ? "" : photo.why;
  view.querySelector(".file").textContent = photo.name;
  showChip(s, view.querySelector(".large .chip"), photo.id, null);
  showGuess(s, view.querySelector(".ask"), photo);
  for (const next of s.queue.slice(s.at + 1, s.at + 3)) new Image().src = next.view;
}

function showGuess(s, ask, photo) {
  const accept = ask.querySelector("button");
  const guessed = photo.guess && !labelOf(s, photo.id);
  ask.classList.toggle("guessed", Boolean(guessed));
  ask.querySelector("p").textContent = guessed
    ? `${photo.sure} ${photo.guess}`
    : labelOf(s, photo.id)
      ? "Another key changes it; the right arrow goes on."
      : s.data.about || "What is it? Press the key of its class.";
  accept.hidden = !guessed;
  accept.firstChild.textContent = `Yes, ${photo.guess}`;
  accept.onclick = () => {
    nameInQueue(s, photo.guess);
    showAll(s);
    s.stage.focus({ preventScroll: true });
  };
}

// The photos around the one in front, with what was said of them.
function showStrip(s, strip) {
  const from = Math.max(0, s.at - 4);
  const around = s.queue.slice(from, s.at + 6);
  while (strip.children.length > around.length) strip.lastChild.remove();
  while (strip.children.length < around.length) {
    const frame = element("button", "frame");
    frame.tabIndex = -1;
    frame.append(element("img"), element("span", "chip"));
    strip.append(frame);
  }
  around.forEach((photo, index) => {
    const frame = strip.children[index];
    const [picture, chip] = frame.children;
    if (picture.getAttribute("src") !== photo.src) picture.src = photo.src;
    picture.alt = "";
    frame.dataset.id = photo.id;
    frame.classList.toggle("here", from + index === s.at);
    frame.setAttribute("aria-label", `Go to ${photo.name}`);
    showChip(s, chip, photo.id, null);
    frame.onclick = () => {
      s.at = from + index;
      showAll(s);
      s.stage.focus({ preventScroll: true });
    };
  });
}
