// A wall of tiles, each with a photo: the photo's picture, and where the arrow keys lead.

function newPicture(tile) {
  const picture = element("img");
  picture.loading = "lazy";
  picture.decoding = "async";
  picture.draggable = false;
  picture.onload = () => tile.classList.add("loaded");
  picture.onerror = () => tile.classList.add("missing");
  return picture;
}

// Bring a tile up to date with the photo it is to show; a picture is asked for only once.
function showPicture(tile, picture, photo, index) {
  tile.dataset.index = index;
  tile.dataset.id = photo.id;
  tile.style.setProperty("--aspect", photo.aspect);
  if (picture.getAttribute("src") !== photo.src) {
    tile.classList.remove("loaded", "missing");
    picture.src = photo.src;
  }
}

// The tile that a key leads to from tile `from`; null for other keys.
function destination(wall, from, key) {
  const last = wall.children.length - 1;
  if (last < 0) return null;
  if (key === "ArrowRight") return Math.min(last, from + 1);
  if (key === "ArrowLeft") return Math.max(0, from - 1);
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key === "ArrowDown") return nextRow(wall, from, 1);
  if (key === "ArrowUp") return nextRow(wall, from, -1);
  return null;
}

// Rows hold different numbers of photos: the nearest centre in the next row counts.
function nextRow(wall, from, direction) {
  const boxes = [...wall.children].map((tile) => tile.getBoundingClientRect());
  const centre = boxes[from].left + boxes[from].width / 2;
  const beyond = boxes
    .map((box, index) => ({ index, top: box.top, off: Math.abs(box.left + box.width / 2 - centre) }))
    .filter(({ top }) => (top - boxes[from].top) * direction > 1);
  if (!beyond.length) return from;
  const tops = beyond.map(({ top }) => top);
  const row = direction > 0 ? Math.min(...tops) : Math.max(...tops);
  const inRow = beyond.filter(({ top }) => Math.abs(top - row) <= 1);
  return inRow.reduce((best, tile) => (tile.off < best.off ? tile : best)).index;
}
