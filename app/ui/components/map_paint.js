// How the map paints: straight into the pixels of a canvas. A hundred thousand calls of a drawing
// context take 160 ms, the same discs written as pixels a few; no graphics card is asked for.

// Below so many photos in sight, they are shown as pictures.
const PICTURES = 70;

// A soft disc as offsets and opacities (0 to 255), for a radius in pixels.
function disc(radius) {
  const reach = Math.ceil(radius + 0.5);
  const cells = [];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const opacity = Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(x, y)));
      if (opacity > 0.02) cells.push([x, y, Math.round(255 * opacity)]);
    }
  }
  return { reach, cells };
}

// A CSS colour as the pixel that a canvas makes of it: 0xAABBGGRR on every machine in use.
function pixelOf(colour) {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  probe.fillStyle = colour;
  probe.fillRect(0, 0, 1, 1);
  const [red, green, blue] = probe.getImageData(0, 0, 1, 1).data;
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

// Paint every photo in sight, in layers: pale ones below, then those of quiet groups, then the
// others, a little larger where the quiet ones would drown them.
function paintPoints(canvas, s, view) {
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  if (!s.image || s.image.width !== width || s.image.height !== height) {
    s.image = context.createImageData(width, height);
    s.pixels = new Uint32Array(s.image.data.buffer);
  }
  s.pixels.fill(s.backdrop);
  const strong = s.count > 30000 ? 190 : 230;
  const quiet = s.names.map((group) => group.quiet);
  const drowning = quiet.includes(true) && s.count > 8000;
  const small = disc(view.radius);
  const large = drowning ? disc(view.radius * 1.6) : small;
  for (const chosen of s.chosen ? [0, 1] : [1]) {
    for (const below of [true, false]) {
      const look = { mask: below ? small : large, strength: chosen ? strong : 52 };
      const wanted = (i) =>
        quiet[s.group[i]] === below && !s.hidden.has(s.group[i]) && (!s.chosen || s.chosen[i] === chosen);
      paintLayer(width, height, s, view, look, wanted);
    }
  }
  context.putImageData(s.image, 0, 0);
}

function paintLayer(width, height, s, view, { mask, strength }, wanted) {
  const ratio = devicePixelRatio || 1;
  const { reach, cells } = mask;
  for (let i = 0; i < s.count; i++) {
    if (!wanted(i)) continue;
    const x = Math.round((s.x[i] * view.scale + view.left) * ratio);
    const y = Math.round((view.top - s.y[i] * view.scale) * ratio);
    if (x < reach || y < reach || x >= width - reach || y >= height - reach) continue;
    stamp(s.pixels, width, x, y, cells, s.colours[s.group[i]], strength);
  }
}

function stamp(pixels, width, x, y, cells, colour, strength) {
  const redBlue = colour & 0xff00ff;
  const green = colour & 0x00ff00;
  for (const [dx, dy, opacity] of cells) {
    const at = (y + dy) * width + x + dx;
    const old = pixels[at];
    const share = (opacity * strength) >> 8;
    const rest = 256 - share;
    // Red and blue are mixed in one product: between them there is room for eight bits more.
    pixels[at] =
      (0xff000000 |
        (((redBlue * share + (old & 0xff00ff) * rest) >>> 8) & 0xff00ff) |
        (((green * share + (old & 0x00ff00) * rest) >>> 8) & 0x00ff00)) >>>
      0;
  }
}

// Photos in sight as small pictures, where there are few of them; they come in as they load.
function paintPictures(canvas, s, view, again) {
  const near = inSight(s, view, canvas.clientWidth, canvas.clientHeight, PICTURES + 1);
  if (near.length > PICTURES || !near.length) return;
  const context = canvas.getContext("2d");
  const ratio = devicePixelRatio || 1;
  const side = Math.max(44, Math.min(110, 500 / Math.sqrt(near.length)));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  for (const i of near) {
    const picture = pictureOf(s, s.id[i], again);
    if (!picture.naturalWidth) continue;
    const fit = side / Math.max(picture.naturalWidth, picture.naturalHeight);
    const [wide, high] = [picture.naturalWidth * fit, picture.naturalHeight * fit];
    const x = s.x[i] * view.scale + view.left - wide / 2;
    const y = view.top - s.y[i] * view.scale - high / 2;
    context.clearRect(x, y, wide, high); // the dot
    context.globalAlpha = s.chosen && !s.chosen[i] ? 0.35 : 1;
    context.drawImage(picture, x, y, wide, high);
    context.lineWidth = 3;
    context.strokeStyle = s.names[s.group[i]].colour;
    context.strokeRect(x, y, wide, high);
  }
  context.globalAlpha = 1;
}

function pictureOf(s, id, again) {
  let picture = s.pictures.get(id);
  if (!picture) {
    // Bounded: a long walk over a large map must not keep every picture.
    if (s.pictures.size > 400) s.pictures.delete(s.pictures.keys().next().value);
    picture = new Image();
    picture.onload = again;
    picture.src = `/thumb/${id}`;
    s.pictures.set(id, picture);
  }
  return picture;
}

// The first `most` photos in sight.
function inSight(s, view, width, height, most) {
  const found = [];
  for (let i = 0; i < s.count && found.length < most; i++) {
    const x = s.x[i] * view.scale + view.left;
    const y = view.top - s.y[i] * view.scale;
    if (x > 0 && x < width && y > 0 && y < height && !s.hidden.has(s.group[i])) found.push(i);
  }
  return found;
}
