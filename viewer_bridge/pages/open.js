// The page that a launch link leads to: it exchanges the code in the fragment for a token and enters the viewer.
(async () => {
  const show = (title, text) => {
    if (title) {
      document.getElementById('title').textContent = title;
      document.getElementById('text').textContent = text;
    }
    document.getElementById('opening').hidden = true;
    document.getElementById('refused').hidden = false;
  };
  const [code, layout] = location.hash.slice(1).split('.');
  // Out of the address bar and the history before anything else is done with it.
  history.replaceState(null, '', location.pathname);
  sessionStorage.removeItem('overread.viewer');
  if (!code) return show();
  try {
    const answer = await fetch('/launch', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ code }),
      credentials: 'omit',
    });
    if (answer.status >= 500) throw new Error(`status ${answer.status}`);
    if (!answer.ok) return show();
    const launch = await answer.json();
    sessionStorage.setItem('overread.viewer', JSON.stringify(launch));
    sessionStorage.removeItem('overread.measurements');
    const page = layout === 'fused' ? '/tmtv?' : '/viewer?';
    location.replace(page + new URLSearchParams({ StudyInstanceUIDs: launch.studyInstanceUIDs.join(',') }));
  } catch {
    show('The viewer can’t be opened just now', 'The server did not answer. Wait a minute, then open the viewer again from the case.');
  }
})();
