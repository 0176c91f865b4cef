// What makes the pages pleasant; all of them work without it.
"use strict";

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true");
});
// A page that is come back to may be sent again: whether that is too late says the server.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  }
});

// What is wrong is read first.
document.getElementById("problems")?.focus();

// A file that is too large is told before it is sent.
for (const input of document.querySelectorAll("input[type=file][data-max-bytes]")) {
  const note = document.getElementById(input.dataset.note);
  input.addEventListener("change", () => {
    const file = input.files[0];
    const isTooLarge = file && file.size > Number(input.dataset.maxBytes);
    note.textContent = isTooLarge ? input.dataset.tooLarge.replace("{mb}", Math.ceil(file.size / 1e6).toLocaleString("en")) : "";
    input.setAttribute("aria-invalid", isTooLarge ? "true" : "false");
    for (const button of input.form.querySelectorAll("button")) button.disabled = isTooLarge;
  });
}

// The live state of a campaign, or how far a check is: the whole of it with each message.
class Live {
  constructor(root) {
    this.root = root;
    this.failures = 0;
    this.isStopped = false;
    this.told = -1;
    root.querySelector("[data-live-stop]")?.addEventListener("click", (event) => this.toggle(event.target));
    document.addEventListener("visibilitychange", () => this.follow());
    this.follow();
  }

  // A hidden tab holds no connection: browsers allow six for a host.
  follow() {
    const isWanted = !this.isStopped && !document.hidden;
    if (isWanted && !this.source && !this.timer) this.open();
    if (!isWanted) this.close();
  }

  toggle(button) {
    this.isStopped = !this.isStopped;
    button.textContent = this.isStopped ? "Update this page again" : "Stop updating this page";
    this.follow();
  }

  open() {
    this.source = new EventSource(this.root.dataset.live);
    this.source.addEventListener("state", (event) => this.show(JSON.parse(event.data)));
    this.source.addEventListener("gone", () => this.renew());
    this.source.addEventListener("bye", () => this.lost("The server is being restarted. Sending goes on when it is back."));
    this.source.onerror = () => {
      this.failures += 1;
      this.lost(`Connection lost at ${new Date().toLocaleTimeString("en-GB")}. Sending goes on; these numbers are from then.`);
      if (this.failures >= 3) this.poll(2000);
    };
  }

  close() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.timer);
    this.timer = null;
  }

  // Where streams do not come through (a proxy that keeps them back), the state is asked for.
  poll(afterMs) {
    this.close();
    this.timer = setTimeout(async () => {
      const asked = performance.now();
      try {
        const answer = await fetch(this.root.dataset.state, { redirect: "manual" });
        if (answer.type === "opaqueredirect") location.reload();
        else this.show(await answer.json());
      } catch {
        this.lost();
      }
      if (this.timer) this.poll(2000 + 5 * (performance.now() - asked));
    }, afterMs);
  }

  // Other buttons: the page is loaded anew, if somebody answers who stays. A browser's own error page would follow nothing any more.
  async renew() {
    if (this.isRenewing) return;
    this.isRenewing = true;
    try {
      const answer = await fetch(this.root.dataset.state, { redirect: "manual" });
      if (answer.status !== 503) return location.reload();
    } catch {
      // Nobody answers.
    }
    this.isRenewing = false;
  }

  lost(sentence) {
    const place = this.root.querySelector("[data-live-lost]");
    if (sentence && place && !place.textContent) place.textContent = sentence;
  }

  show(state) {
    if (state.page !== this.root.dataset.page) {
      this.renew();
      return;
    }
    if (this.source) this.failures = 0;
    const lost = this.root.querySelector("[data-live-lost]");
    if (lost) lost.textContent = "";
    for (const place of this.root.querySelectorAll("[data-text]")) {
      const text = state.texts[place.dataset.text] ?? "";
      if (place.textContent !== text) place.textContent = text;
      if (place.dataset.hideEmpty !== undefined) place.hidden = text === "";
    }
    const bar = this.root.querySelector("progress");
    if (bar && state.total) {
      bar.max = state.total;
      bar.value = state.done;
    }
    this.tell(state);
  }

  // Read aloud: each tenth, and each change of what is waited for; not every number.
  tell(state) {
    const place = this.root.querySelector("[data-live-told]");
    const tenth = state.total ? Math.floor((10 * state.done) / state.total) : 0;
    const key = `${tenth} ${state.texts.reason ?? ""}`;
    if (place && key !== this.told) {
      if (this.told !== -1) place.textContent = [state.texts.progress, state.texts.reason].filter(Boolean).join(". ");
      this.told = key;
    }
  }
}
for (const root of document.querySelectorAll("[data-live]")) new Live(root);

// Signed out soon: said two minutes before. To stay, what was typed on the page stays, too.
const session = document.querySelector("[data-ends-in-s]");
if (session) {
  const warn = (endsInS) => setTimeout(() => { session.hidden = false; }, Math.max(0, endsInS - 120) * 1000);
  warn(Number(session.dataset.endsInS));
  session.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const form = event.target;
    const answer = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" }, redirect: "manual",
    }).catch(() => null);
    if (!answer?.ok) return form.submit();
    session.hidden = true;
    warn((await answer.json()).ends_in_s);
  });
}
