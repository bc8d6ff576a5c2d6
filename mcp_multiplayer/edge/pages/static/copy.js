// @ts-check
/**
 * Buttons that copy what stands beside them: `<button data-copies="ID" hidden>`. They show where a
 * browser lets a page write to its clipboard; elsewhere the text is selected by hand.
 */

const SECONDS = 2;

/** Copies the text of the element that the button names, and says so for a moment. */
async function copy(button) {
  const from = document.getElementById(button.dataset.copies);
  await navigator.clipboard.writeText(from?.textContent ?? "");
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = before), SECONDS * 1000);
}

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copies]")) {
    button.removeAttribute("hidden");
    button.addEventListener("click", () => copy(button));
  }
}
