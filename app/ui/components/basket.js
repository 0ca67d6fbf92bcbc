// The basket of examples. It is small, so it is drawn anew on every change, and the focus is put
// back on the button that was pressed.

export default function ({ data, parentElement: root, setTriggerValue }) {
  const basket = root.querySelector(".basket");
  const focused = root.activeElement?.dataset?.name ?? basket.getRootNode().activeElement?.dataset?.name;
  const change = (entry, weight, words) => {
    root.querySelector(".announcer").textContent = words;
    setTriggerValue("change", { id: entry.id, weight });
  };
  basket.replaceChildren(
    ...data.groups
      .filter((group) => group.entries.length)
      .flatMap((group) => [
        element("h3", "", group.title),
        list(group.entries.map((entry) => row(entry, group.title, data.weights, change))),
      ]),
  );
  if (focused) basket.querySelector(`[data-name="${CSS.escape(focused)}"]:enabled`)?.focus();
}

function row(entry, title, weights, change) {
  const item = element("li");
  const picture = element("img");
  picture.src = entry.src;
  picture.alt = entry.name;
  const name = element("span", "name", entry.name);
  name.title = entry.name;
  const step = (sign, words, to) => {
    const button = press(sign, `${words} ${entry.name}`, `${words}-${entry.id}`);
    button.disabled = to === undefined;
    button.onclick = () => change(entry, to, `${title} ${entry.name}: weight ${to}`);
    return button;
  };
  const remove = press("✕", `Remove ${entry.name}`, `remove-${entry.id}`);
  remove.className = "remove";
  remove.onclick = () => change(entry, null, `${entry.name} removed`);
  item.append(
    picture,
    name,
    step("−", "Less weight for", weights.filter((weight) => weight < entry.weight).at(-1)),
    element("span", "weight", `${entry.weight}×`),
    step("+", "More weight for", weights.find((weight) => weight > entry.weight)),
    remove,
  );
  return item;
}

function press(sign, words, name) {
  const button = element("button", "", sign);
  button.title = words;
  button.setAttribute("aria-label", words);
  button.dataset.name = name;
  return button;
}

function list(items) {
  const made = element("ul");
  made.append(...items);
  return made;
}

// Text goes in as text, never as markup: names of files are not ours.
