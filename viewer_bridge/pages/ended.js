// Where a viewer session ends: the measurements that were made in it are offered as a file.
(() => {
  const kept = sessionStorage.getItem('overread.measurements');
  if (!kept) return;
  document.getElementById('measurements').href = URL.createObjectURL(new Blob([kept], { type: 'text/csv' }));
  document.getElementById('kept').hidden = false;
})();
