// Every two seconds, while somebody looks: fetch this page again and swap in what is new.
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

setInterval(() => refresh().catch(() => {}), 2000);
