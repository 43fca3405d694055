// Convenience only: the page works without it. Groups digits as they are typed; one click submits once.
const number = document.getElementById("number");
const expiry = document.getElementById("expiry");
const grouped = (digits) => (digits.match(/.{1,4}/g) || []).join(" ");
number?.addEventListener("input", () => {
  if (number.selectionStart === number.value.length) number.value = grouped(number.value.replace(/\D/g, "").slice(0, 19));
});
expiry?.addEventListener("input", (event) => {
  if (event.inputType === "deleteContentBackward") return;
  const digits = expiry.value.replace(/\D/g, "").slice(0, 4);
  expiry.value = digits.length > 2 ? `${digits.slice(0, 2)} / ${digits.slice(2)}` : digits;
});
for (const form of document.forms) {
  form.addEventListener("submit", () => {
    // After the browser has taken the pressed button's value into the request.
    setTimeout(() => {
      for (const button of form.querySelectorAll("button")) {
        button.disabled = true;
        if (button.dataset.busy) button.textContent = button.dataset.busy;
      }
    });
  });
}
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
