// The console's one script. Every page works without it; with it, lists are searched as one types, forms are checked as
// they change, live numbers move, and the colours switch without a reload.
"use strict";

(() => {
  const make = (tag, name, text) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // ---- light and dark: at once, and remembered by the server as without the script
  const wireThemes = () => {
    for (const form of document.querySelectorAll("form.themes")) {
      form.addEventListener("submit", (event) => {
        const button = event.submitter;
        if (!button) return;
        event.preventDefault();
        const theme = button.value;
        if (theme === "system") delete document.documentElement.dataset.theme;
        else document.documentElement.dataset.theme = theme;
        for (const other of document.querySelectorAll("form.themes button")) {
          other.setAttribute("aria-pressed", String(other.value === theme));
        }
        const body = new URLSearchParams(new FormData(form));
        body.set("theme", theme);
        fetch(form.getAttribute("action"), { method: "POST", body, redirect: "manual" }).catch(() => {});
      });
    }
  };

  // ---- search in a long list: a combobox over an input and its datalist
  let lists = 0;
  const wireCombo = (input) => {
    const source = document.getElementById(input.getAttribute("list"));
    if (!source || input.readOnly || input.dataset.wired) return;
    input.dataset.wired = "true";
    input.removeAttribute("list");
    const box = make("div", "combo-list");
    box.id = `combo-${(lists += 1)}`;
    box.setAttribute("role", "listbox");
    box.setAttribute("aria-label", input.labels?.[0]?.textContent.trim() || "Choices");
    box.hidden = true;
    input.after(box);
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-expanded", "false");
    input.setAttribute("aria-controls", box.id);
    let chosen = -1;
    const rows = () => [...box.querySelectorAll("[role=option]:not([aria-disabled])")];

    const draw = (typed) => {
      const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
      box.replaceChildren();
      chosen = -1;
      let group = null;
      let shown = 0;
      for (const option of source.options) {
        const text = `${option.textContent} ${option.value}`.toLowerCase();
        if (!words.every((word) => text.includes(word))) continue;
        if (shown === 200) break;
        if (option.dataset.group && option.dataset.group !== group) {
          group = option.dataset.group;
          const head = make("div", "combo-group", group);
          head.setAttribute("role", "presentation");
          box.append(head);
        }
        const row = make("div", "combo-option");
        row.id = `${box.id}-${shown}`;
        row.setAttribute("role", "option");
        row.setAttribute("aria-selected", "false");
        row.dataset.value = option.value;
        row.append(make("span", "", option.textContent.trim()));
        if (option.value !== option.textContent.trim()) row.append(make("code", "", option.value));
        if (option.dataset.note) row.append(make("span", "quiet", option.dataset.note));
        if (option.dataset.off) row.setAttribute("aria-disabled", "true");
        else row.addEventListener("pointerdown", (event) => { event.preventDefault(); take(row); });
        box.append(row);
        shown += 1;
      }
      if (shown === 0) box.append(make("div", "combo-none", "Nothing matches. Try fewer letters."));
    };
    const open = (typed) => {
      draw(typed);
      box.hidden = false;
      input.setAttribute("aria-expanded", "true");
    };
    const close = () => {
      box.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    };
    const take = (row) => {
      input.value = row.dataset.value;
      close();
      input.dispatchEvent(new Event("change", { bubbles: true }));
    };
    const move = (step) => {
      const all = rows();
      if (all.length === 0) return;
      all[chosen]?.setAttribute("aria-selected", "false");
      chosen = (chosen + step + all.length) % all.length;
      all[chosen].setAttribute("aria-selected", "true");
      all[chosen].scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", all[chosen].id);
    };
    input.addEventListener("click", () => (box.hidden ? open("") : close()));
    input.addEventListener("input", () => open(input.value));
    input.addEventListener("blur", close);
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (box.hidden) open("");
        move(event.key === "ArrowDown" ? 1 : -1);
      } else if (event.key === "Enter" && !box.hidden && rows()[chosen]) {
        event.preventDefault();
        take(rows()[chosen]);
      } else if (event.key === "Escape" && !box.hidden) {
        event.preventDefault();
        close();
      }
    });
  };

  // ---- replacing parts of the page by what the server sends
  const replaceParts = (root, selector, key) => {
    for (const fresh of root.querySelectorAll(selector)) {
      const old = document.querySelector(key(fresh));
      if (!old || old.isEqualNode(fresh)) continue;
      const active = old.contains(document.activeElement) ? document.activeElement : null;
      const anew = active?.name ? [...fresh.querySelectorAll("[name]")].find((other) => other.name === active.name) : null;
      // What is being typed is newer than what the server has seen.
      if (anew && active.matches("input, textarea") && anew.value !== active.value) continue;
      for (const details of old.querySelectorAll("details[id][open]")) {
        const same = fresh.querySelector(`#${CSS.escape(details.id)}`);
        if (same) same.open = true;
      }
      old.replaceWith(document.adoptNode(fresh));
      anew?.focus();
    }
    wireAll();
  };

  // ---- forms that are checked as they change: the same form is sent with action=check, and the answer's parts taken
  const wireChecks = () => {
    for (const form of document.querySelectorAll("form[data-check]")) {
      if (form.dataset.wired) continue;
      form.dataset.wired = "true";
      let running = null;
      form.addEventListener("change", async (event) => {
        if (!event.target.matches("[data-recheck]")) return;
        running?.abort();
        running = new AbortController();
        const body = new URLSearchParams(new FormData(form));
        body.set("action", "check");
        const status = form.querySelector("[data-check-status]");
        if (status) status.textContent = "Checking …";
        try {
          // The buttons are named "action", which hides the form's own property of that name.
          const answer = await fetch(form.getAttribute("action"), { method: "POST", body, signal: running.signal, headers: { accept: "text/html" } });
          if (!answer.ok) throw new Error(String(answer.status));
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          replaceParts(page, "[data-refresh]", (part) => `[data-refresh="${CSS.escape(part.dataset.refresh)}"]`);
          const etag = page.querySelector("input[name=etag]");
          const mine = form.querySelector("input[name=etag]");
          if (etag && mine) mine.value = etag.value;
        } catch (error) {
          if (error.name !== "AbortError" && status) {
            status.textContent = "Could not be checked just now. Press “Check” to try again.";
          }
        }
      });
    }
  };

  // ---- live numbers: each event carries HTML whose elements replace those of the same id
  const wireLive = () => {
    for (const part of document.querySelectorAll("[data-live]")) {
      if (part.dataset.wired) continue;
      part.dataset.wired = "true";
      const events = new EventSource(part.dataset.live);
      events.addEventListener("message", (event) => {
        const holder = document.createElement("template");
        holder.innerHTML = event.data;
        replaceParts(holder.content, "[id]", (fresh) => `#${CSS.escape(fresh.id)}`);
      });
      addEventListener("pagehide", () => events.close());
    }
  };

  // ---- small things
  const wireSmall = () => {
    for (const button of document.querySelectorAll("button[data-copy]")) {
      if (button.dataset.wired) continue;
      button.dataset.wired = "true";
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
        button.textContent = "Copied";
      });
    }
    for (const box of document.querySelectorAll("input[data-all]")) {
      if (box.dataset.wired) continue;
      box.dataset.wired = "true";
      box.addEventListener("change", () => {
        for (const other of document.getElementsByName(box.dataset.all)) if (!other.disabled) other.checked = box.checked;
      });
    }
  };

  const wireAll = () => {
    for (const input of document.querySelectorAll("input[data-combo]")) wireCombo(input);
    wireChecks();
    wireLive();
    wireSmall();
  };

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
  });
  wireThemes();
  wireAll();
  // The step one is at is in sight on a narrow screen.
  document.querySelector(".steps .now")?.scrollIntoView({ block: "nearest", inline: "center" });
})();
