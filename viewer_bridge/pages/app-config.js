// The configuration of the hosted OHIF viewer. It runs before the viewer's own scripts.
(() => {
  const KEY = 'overread.viewer';
  const read = () => {
    try {
      return JSON.parse(sessionStorage.getItem(KEY));
    } catch {
      return null;
    }
  };
  let services;
  // Measurements live in the page alone; what there is when the session ends, its last page offers as a file.
  const keep = () => {
    const made = services?.measurementService.getMeasurements() ?? [];
    if (!made.length) return;
    const cell = value => `"${String(value ?? '').replaceAll('"', '""')}"`;
    const rows = made.map(one => [
      one.referenceStudyUID,
      one.referenceSeriesUID,
      one.SOPInstanceUID,
      one.frameNumber,
      one.toolName,
      one.label,
      [...(one.displayText?.primary ?? []), ...(one.displayText?.secondary ?? [])].join('; '),
      JSON.stringify(one.points ?? []),
    ]);
    const head = ['StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID', 'Frame', 'Tool', 'Label', 'Values', 'Points'];
    const lines = [head, ...rows].map(row => row.map(cell).join(',') + '\r\n');
    sessionStorage.setItem('overread.measurements', lines.join(''));
  };
  const leave = () => {
    try {
      keep();
    } finally {
      sessionStorage.removeItem(KEY);
      // What is drawn goes at once, and not only when the next page is there.
      document.documentElement.style.display = 'none';
      location.replace('/ended');
    }
  };
  const session = read();
  const left = session ? Date.parse(session.expiresAt) - Date.now() : 0;
  const WARNED = 5 * 60_000;
  const warn = () =>
    services?.uiNotificationService.show({
      title: 'This viewer session ends soon',
      message: `At ${new Date(session.expiresAt).toLocaleTimeString()} the images close. Save your measurements before (CSV in the list of measurements), or from the page that follows.`,
      type: 'warning',
      autoClose: false,
    });
  const soon = (what, wait) => setTimeout(what, Math.min(Math.max(wait, 0), 2 ** 31 - 1));
  if (left <= 0) leave();
  else {
    soon(leave, left);
    soon(warn, Math.max(left - WARNED, 10_000));
  }
  const root = session?.dicomwebRoot ?? '/none';

  // The token goes with every request to the case's own DICOMweb root and nowhere else. The viewer's image loader
  // swallows a 401, so what ends the session is seen here, whoever asked.
  const ours = url => new URL(url, location.href).href.startsWith(location.origin + root + '/');
  const seen = (url, status) => {
    if (!ours(url)) return;
    if (status === 401) leave();
    else if (status === 403 || status === 404) check();
  };
  const plainFetch = window.fetch;
  // 404 may be a study that was taken back, or a video that has no thumbnail: so the studies themselves are asked for;
  // now and then too, since what is on the screen and was fetched ahead asks for nothing more.
  let checking = false;
  const check = async () => {
    if (checking || !session) return;
    checking = true;
    try {
      const uids = session.studyInstanceUIDs;
      const query = new URLSearchParams({ StudyInstanceUID: uids.join(','), limit: uids.length });
      const answer = await plainFetch.call(window, `${root}/studies?${query}`, {
        headers: { Authorization: `Bearer ${session.token}`, Accept: 'application/dicom+json' },
      });
      if ([401, 403, 404].includes(answer.status)) return leave();
      if (!answer.ok) return;
      const found = answer.status === 204 ? [] : await answer.json();
      if (found.length < uids.length) leave();
    } catch {
      // The network may be back in a minute.
    } finally {
      setTimeout(() => (checking = false), 5000);
    }
  };
  if (left > 0) setInterval(check, 60_000);
  window.fetch = async (input, init) => {
    const answer = await plainFetch.call(window, input, init);
    seen(answer.url, answer.status);
    return answer;
  };
  const plainOpen = XMLHttpRequest.prototype.open;
  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    this.addEventListener('load', () => seen(this.responseURL || url, this.status));
    return plainOpen.call(this, method, url, ...rest);
  };
  // The viewer's menus offer pages of its makers; a reading room's browser opens none of them.
  const plainWindow = window.open;
  window.open = (url, ...rest) =>
    new URL(url ?? '', location.href).origin === location.origin ? plainWindow.call(window, url, ...rest) : null;

  const about = () =>
    'Images are shown by the OHIF Viewer, version __OHIF_VERSION__, under the MIT licence; its text is at /LICENSE.txt on this site.';
  about.title = 'About this viewer';

  const bearer = {
    id: 'overread.session',
    // Set before any data source asks; nothing of the token is ever part of an address.
    preRegistration({ servicesManager }) {
      services = servicesManager.services;
      servicesManager.services.userAuthenticationService.setServiceImplementation({
        getAuthorizationHeader: () => ({ Authorization: `Bearer ${session?.token ?? ''}` }),
        handleUnauthenticated: leave,
      });
    },
  };

  // What the viewer's decoders draw, and no more: of anything else the server makes Explicit VR Little Endian (PS3.18
  // 8.7.3.3). JPEG Extended (…4.51) is not here, since of twelve bits its decoder draws nothing.
  const DECODED = ['1.2.1', '1.2.5', ...[50, 57, 70, 80, 81, 90, 91, 201, 202, 203].map(n => `1.2.4.${n}`)];

  window.config = {
    name: 'overread',
    routerBasename: null,
    extensions: [bearer],
    modes: [],
    customizationService: { global: { 'ohif.aboutModal': { $set: about }, 'ohif.tours': { $set: [] } } },
    whiteLabeling: { createLogoComponentFn: React => React.createElement('span', { className: 'text-foreground text-lg' }, 'Overread') },
    showStudyList: false,
    investigationalUseDialog: { option: 'never' },
    showWarningMessageForCrossOrigin: false,
    showCPUFallbackMessage: false,
    showLoadingIndicator: true,
    showErrorDetails: 'production',
    strictZSpacingForVolumeViewport: true,
    // Measurements stay in the viewer: a case's view takes no new objects, the finding is written in the portal.
    measurementTrackingMode: 'none',
    disableConfirmationPrompts: true,
    maxNumberOfWebWorkers: 3,
    maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
    studyPrefetcher: { enabled: true, displaySetsCount: 2, maxNumPrefetchRequests: 10, order: 'closest' },
    defaultDataSourceName: 'overread',
    dataSources: [
      {
        namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
        sourceName: 'overread',
        configuration: {
          friendlyName: 'The case’s images',
          name: 'overread',
          qidoRoot: root,
          wadoRoot: root,
          qidoSupportsIncludeField: true,
          imageRendering: 'wadors',
          thumbnailRendering: 'thumbnail',
          // Fetched with the bearer; as an <img> they would come without.
          thumbnailRequestStrategy: 'fetch',
          enableStudyLazyLoad: true,
          supportsFuzzyMatching: true,
          supportsWildcard: true,
          supportsStow: false,
          supportsReject: false,
          dicomUploadEnabled: false,
          // Not 'video' or 'pdf': those would be given to an element by address, and so be fetched without the bearer.
          singlepart: 'bulkdata',
          bulkDataURI: { enabled: true, relativeResolution: 'studies' },
          acceptHeader: DECODED.map(
            uid => `multipart/related; type="application/octet-stream"; transfer-syntax=1.2.840.10008.${uid}`,
          ),
        },
      },
    ],
    httpErrorHandler: error => seen(error?.responseURL ?? error?.request?.responseURL ?? '', error?.status),
  };
})();
