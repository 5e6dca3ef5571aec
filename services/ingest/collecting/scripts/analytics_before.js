/* Segment's analytics.js as it comes, for this collector. This stands before it. */
(function (window, document) {
  const source = document.currentScript ? document.currentScript.src : "";
  const name =
    (document.currentScript && document.currentScript.dataset.globalSegmentAnalyticsKey) ||
    "analytics";
  const analytics = (window[name] = window[name] || []);
  const inPath = /\/analytics\.js\/v1\/([^/?#]+)\//.exec(source);
  const inAddress = inPath || /[?&]writeKey=([^&#]*)/.exec(source);
  const address = source.replace(/\/analytics\.js([/?#].*)?$/, "");
  const key = inAddress ? decodeURIComponent(inAddress[1]) : analytics._writeKey || "";
  window.__hairspring = { name, key, address };

  // Whatever more the bundle asks for it asks here, and nowhere else.
  window.analytics = window.analytics || [];
  window.analytics._cdn = address;

  // A page without Segment's own snippet may make its calls at once, too.
  if (analytics.track) return;
  const methods =
    "track identify page screen group alias reset ready on once off setAnonymousId register " +
    "deregister addSourceMiddleware addDestinationMiddleware trackLink trackForm trackClick " +
    "trackSubmit";
  methods.split(" ").forEach((method) => {
    analytics[method] = (...given) => {
      if (window[name] !== analytics) return window[name][method](...given);
      analytics.push([method, ...given]);
      return analytics;
    };
  });
  analytics.load = () => analytics; // It is loaded by now.
})(window, document);
