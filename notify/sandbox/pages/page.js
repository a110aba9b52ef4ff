// Every two seconds while the page is visible: fetch it again and replace the parts that changed.
const parts = () => document.querySelectorAll("[data-refresh]");

async function refresh() {
  if (document.hidden || !parts().length) return;
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const news = fresh.querySelectorAll("[data-refresh]");
  parts().forEach((part, i) => {
    if (news[i] && news[i].innerHTML !== part.innerHTML) part.innerHTML = news[i].innerHTML;
  });
}

// A mail is shown whole: this page may measure what is in its frame, which still runs no script.
function fit(frame) {
  const page = frame.contentDocument && frame.contentDocument.documentElement;
  if (!page) return;
  frame.style.height = "0";
  frame.style.height = `${Math.min(page.scrollHeight, 20000) + 2}px`;
}

for (const frame of document.querySelectorAll("iframe.mail")) {
  frame.addEventListener("load", () => fit(frame));
  addEventListener("resize", () => fit(frame));
  frame.sandbox.add("allow-same-origin");
  frame.srcdoc = frame.srcdoc; // what a frame may do is settled when it is filled
}

setInterval(() => refresh().catch(() => {}), 2000);
