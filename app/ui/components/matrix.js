// The confusion matrix. A cell is a button: it opens its photos, and closes them again.

const open = new WeakMap();

export default function ({ data, parentElement: root, setStateValue }) {
  const table = root.querySelector("table");
  const { classes, counts } = data;
  const head = cell("tr");
  head.append(cell("td"), ...classes.map((name) => headed(name, "col")));
  table.querySelector("thead").replaceChildren(head);
  const sums = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const buttons = [];
  const rows = classes.map((name, row) => {
    const line = cell("tr");
    line.append(headed(name, "row"));
    classes.forEach((answered, column) => {
      const button = made(name, answered, counts[row][column], sums[row], row === column);
      button.onclick = () => choose(row, column);
      button.dataset.at = `${row},${column}`;
      buttons.push(button);
      const place = cell("td");
      place.append(button);
      line.append(place);
    });
    return line;
  });
  table.querySelector("tbody").replaceChildren(...rows);

  const choose = (row, column) => {
    const at = `${row},${column}`;
    const closes = open.get(table) === at;
    open.set(table, closes ? null : at);
    setStateValue("cell", closes ? null : { row, column, classes });
    paint();
  };
  const paint = () => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", button.dataset.at === open.get(table));
    }
  };
  paint();
  table.onkeydown = (event) => {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const move = moves[event.key];
    const from = event.target.dataset.at?.split(",").map(Number);
    if (!move || !from) return;
    const to = `${from[0] + move[0]},${from[1] + move[1]}`;
    buttons.find((button) => button.dataset.at === to)?.focus();
    event.preventDefault();
  };
}

function made(name, answered, count, sum, right) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = count ? count.toLocaleString("en") : "·";
  button.disabled = !count;
  button.className = right ? "right" : "wrong";
  button.style.setProperty("--share", sum ? count / sum : 0);
  const photos = count === 1 ? "photo" : "photos";
  button.setAttribute("aria-label", `${count} ${photos} labelled ${name}, answered ${answered}`);
  button.title = `labelled ${name}, answered ${answered}`;
  return button;
}

// Text goes in as text, never as markup: names of classes are not ours.
function headed(name, scope) {
  const heading = cell("th");
  heading.scope = scope;
  heading.title = name;
  const text = document.createElement("span");
  text.textContent = name;
  heading.append(text);
  return heading;
}

function cell(kind) {
  return document.createElement(kind);
}
