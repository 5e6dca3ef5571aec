
/* And this after it: there is nothing left to load, and nothing to ask. */
(function (window) {
  const { name, key, address } = window.__hairspring;
  if (!key) {
    window.console.error("hairspring: analytics.js needs a write key: /analytics.js?writeKey=KEY");
    return;
  }
  const settings = SETTINGS;
  const [protocol, place] = address.split("://");
  const ours = settings.integrations["Segment.io"];
  Object.assign(ours, { apiKey: key, apiHost: place + "/v1", protocol });
  settings.metrics.host = place + "/v1";
  const options = Object.assign({ globalAnalyticsKey: name }, window[name]._loadOptions);
  window.AnalyticsNext.AnalyticsBrowser.load(
    { writeKey: key, cdnURL: address, cdnSettings: settings },
    options
  )
    .then(([analytics]) => {
      window[name] = analytics;
    })
    .catch((error) => window.console.error("hairspring: analytics.js does not start", error));
})(window);
