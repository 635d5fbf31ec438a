// Browsers start no worker for a page opened from a folder. The search runs in a hidden frame then.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      const inside = this.frame.contentWindow;
      addEventListener("message", (event) => {
        if (event.source === inside) {
          const passed = new MessageEvent("message", { data: event.data });
          this.dispatchEvent(passed);
          if (this.onmessage) this.onmessage(passed);
        }
      });
      this.ready = new Promise((resolve) => { this.frame.onload = resolve; });
      inside.document.open();
      inside.document.write(
        "<script>postMessage = (data) => parent.postMessage(data, '*');" +
        "importScripts = (...urls) => urls.reduce((done, url) => done.then(() => new Promise((resolve) => {" +
        "const one = document.createElement('script'); one.src = url; one.onload = one.onerror = resolve;" +
        "document.body.appendChild(one); })), Promise.resolve());<\/script>" +
        "<body><script src='" + url + "'><\/script></body>");
      inside.document.close();
    }
    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() { this.frame.remove(); }
  };
}
