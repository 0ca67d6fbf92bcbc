// Streamlit's drop zone takes a pasted image only while it has the focus. Nobody knows that, so
// what is pasted anywhere else is handed to it.

const DROP_ZONE = '[data-testid="stFileUploaderDropzone"]';

export default function () {
  const hand = (event) => {
    const zone = document.querySelector(DROP_ZONE);
    const images = [...(event.clipboardData?.files ?? [])];
    if (!zone || !images.length || zone.contains(event.target)) return;
    event.preventDefault();
    const data = new DataTransfer();
    data.items.add(images[0]);
    zone.dispatchEvent(
      new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }),
    );
  };
  document.addEventListener("paste", hand);
  return () => document.removeEventListener("paste", hand);
}
