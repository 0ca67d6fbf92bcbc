// What pointer and keyboard do on the map.

function bindPointer(s) {
  const { over } = s;
  let from = null;
  let moved = false;
  const at = (event) => {
    const box = over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  over.onpointerdown = (event) => {
    if (event.button > 1) return;
    from = at(event);
    moved = false;
    over.setPointerCapture(event.pointerId);
    if (event.button === 0 && (s.tool === "select") !== event.shiftKey) {
      s.drawing = [onPlane(s, from)];
    }
    hover(s, -1);
  };
  over.onpointermove = (event) => {
    const place = at(event);
    if (!from) {
      hover(s, nearest(s, place, NEAR), place);
      return;
    }
    if (Math.hypot(place[0] - from[0], place[1] - from[1]) > 3) moved = true;
    if (s.drawing) {
      if (moved) s.drawing.push(onPlane(s, place));
    } else if (moved) {
      over.classList.add("dragging");
      s.middle[0] -= (place[0] - from[0]) / s.view.scale;
      s.middle[1] += (place[1] - from[1]) / s.view.scale;
      from = place;
    }
    s.draw();
  };
  over.onpointerup = (event) => {
    if (!from) return;
    const drawn = s.drawing;
    s.drawing = from = null;
    over.classList.remove("dragging");
    if (moved && drawn?.length > 2) choose(s, drawn);
    else if (!moved) click(s, at(event));
    s.draw();
  };
  over.onpointercancel = () => {
    s.drawing = from = null;
    s.draw();
  };
  over.onpointerleave = () => hover(s, -1);
  over.ondblclick = (event) => {
    if (nearest(s, at(event), NEAR) < 0) zoomAt(s, 2, at(event));
  };
  over.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoomAt(s, Math.exp(-event.deltaY * (event.deltaMode ? 0.06 : 0.0022)), at(event));
      hover(s, -1);
    },
    { passive: false },
  );
  const tools = s.root.querySelector(".tools");
  tools.onclick = (event) => {
    const does = event.target.closest("button")?.dataset.does;
    const middle = [s.map.clientWidth / 2, s.map.clientHeight / 2];
    if (does === "in") zoomAt(s, 1.6, middle);
    else if (does === "out") zoomAt(s, 1 / 1.6, middle);
    else if (does === "fit") fit(s);
    else if (does) setTool(s, does);
  };
}

function bindKeys(s) {
  const { over } = s;
  over.onkeydown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [width, height] = [s.map.clientWidth, s.map.clientHeight];
    const middle = [width / 2, height / 2];
    const step = 60 / s.view.scale;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const { key } = event;
    if (moves[key]) {
      s.middle = s.middle.map((value, axis) => value + step * moves[key][axis]);
      s.draw();
    } else if (key === "+" || key === "=") zoomAt(s, 1.4, middle);
    else if (key === "-") zoomAt(s, 1 / 1.4, middle);
    else if (key === "0") fit(s);
    else if (key === "Enter" || key === " ") choose(s, ring(s, middle));
    else if (key === "Escape" && s.outline) choose(s, null);
    else if (key === "o" || key === "O") click(s, middle, RING);
    else if (key === "s" || key === "S") setTool(s, s.tool === "select" ? "move" : "select");
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const ringed = () => {
    s.ring = s.root.querySelector(".over:focus-visible") !== null;
    s.draw();
  };
  over.onfocus = over.onblur = ringed;
}

// The ring of the keyboard as an outline on the plane.
function ring(s, [x, y]) {
  const turns = Array.from({ length: 32 }, (_, i) => (i * Math.PI) / 16);
  return turns.map((turn) => onPlane(s, [x + RING * Math.cos(turn), y + RING * Math.sin(turn)]));
}

function setTool(s, tool) {
  s.tool = tool;
  s.over.classList.toggle("lasso", tool === "select");
  for (const button of s.root.querySelectorAll(".tools [aria-pressed]")) {
    button.setAttribute("aria-pressed", button.dataset.does === tool);
  }
}

// Open the photo there; where there is none, end the selection.
function click(s, place, reach = NEAR) {
  const found = nearest(s, place, reach);
  if (found >= 0) s.ask("open", Number(s.id[found]));
  else if (s.outline) choose(s, null);
}

// Show the photo that the pointer rests on.
function hover(s, found, place) {
  s.over.classList.toggle("near", found >= 0);
  if (found !== s.hovered) {
    s.hovered = found;
    s.draw();
    const picture = s.tip.querySelector("img");
    if (found >= 0) {
      const group = s.names[s.group[found]];
      picture.src = `/thumb/${s.id[found]}`;
      picture.alt = `photo ${s.id[found]}`;
      s.tip.querySelector("span").textContent = s.names.length > 1 ? group.name : "";
    }
    s.tip.style.display = found >= 0 ? "block" : "none";
  }
  if (found < 0 || !place) return;
  const room = [s.map.clientWidth - 230, s.map.clientHeight - 250];
  s.tip.style.left = `${place[0] > room[0] ? place[0] - 228 : place[0] + 16}px`;
  s.tip.style.top = `${Math.max(8, Math.min(place[1] + 12, room[1]))}px`;
}

// One button a group: its colour, name and size; pressed while its photos are shown.
function showLegend(s) {
  s.legend.hidden = s.names.length < 2;
  while (s.legend.children.length > s.names.length) s.legend.lastChild.remove();
  while (s.legend.children.length < s.names.length) {
    const button = document.createElement("button");
    button.type = "button";
    for (const part of ["swatch", "name", "count"]) {
      const made = document.createElement("span");
      made.className = part;
      button.append(made);
    }
    s.legend.append(button);
  }
  s.names.forEach((group, at) => {
    const button = s.legend.children[at];
    const [swatch, name, count] = button.children;
    swatch.style.background = group.colour;
    name.textContent = button.title = group.name;
    count.textContent = group.count.toLocaleString("en");
    button.setAttribute("aria-pressed", !s.hidden.has(at));
    button.onclick = () => {
      if (!s.hidden.delete(at)) s.hidden.add(at);
      button.setAttribute("aria-pressed", !s.hidden.has(at));
      if (s.outline) choose(s, s.outline);
      else s.draw();
    };
  });
}
