// What the components are made of.

// Text goes in as text, never as markup: names of files are not ours.
function element(kind, className = "", text = "") {
  const made = document.createElement(kind);
  made.className = className;
  if (kind === "button") made.type = "button";
  if (text) made.textContent = text;
  return made;
}
