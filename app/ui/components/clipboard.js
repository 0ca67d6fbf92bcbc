// Copies, and says so for a moment.

const MILLISECONDS_SAID = 2000;

export default function ({ data, parentElement: root }) {
  const button = root.querySelector("button");
  const label = root.querySelector(".label");
  if (!button.dataset.saying) label.textContent = data.label;
  button.onclick = async () => {
    const copied = await copy(data.text ?? window.location.href);
    label.textContent = copied ? data.done : "The browser refused";
    root.querySelector(".announcer").textContent = label.textContent;
    button.dataset.saying = "1";
    setTimeout(() => {
      delete button.dataset.saying;
      label.textContent = data.label;
    }, MILLISECONDS_SAID);
  };
}

// The clipboard's own interface is there on this computer's addresses; elsewhere the old way is.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }
}
