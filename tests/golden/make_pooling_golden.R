# Reference numbers from R for partial pooling. Run from anywhere:  Rscript make_pooling_golden.R
# Writes pooling_data.csv and pooling.csv beside itself. README.md says what is what.
# bayesmeta's own source file also serves where the package is not installed: BAYESMETA=bayesmeta.R Rscript ...
suppressPackageStartupMessages(library(metafor))
if (nzchar(Sys.getenv("BAYESMETA"))) source(Sys.getenv("BAYESMETA")) else suppressPackageStartupMessages(library(bayesmeta))
here <- dirname(normalizePath(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])))
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
sets <- list(
  bcg = data.frame(y = as.numeric(bcg$yi), se = sqrt(bcg$vi)),
  schools = data.frame(y = c(28, 8, -3, 7, -1, 1, 18, 12), se = c(15, 10, 16, 11, 9, 11, 10, 18)),
  alike = data.frame(y = c(0.11, 0.08, 0.12, 0.10, 0.07), se = c(0.06, 0.09, 0.05, 0.08, 0.07)))
rows <- list()
add <- function(case, quantity, value) rows[[length(rows) + 1L]] <<- data.frame(case = case, quantity = quantity, value = sprintf("%.12g", as.numeric(value)))
for (name in names(sets)) { d <- sets[[name]]; d$id <- seq_len(nrow(d)); w <- 1 / d$se^2
  for (m in c("REML", "PM")) { f <- rma(y, sei = se, data = d, method = m, control = list(threshold = 1e-12, tol = 1e-12, maxiter = 1e4)); case <- paste(name, tolower(m), sep = "_")
    h <- rma(y, sei = se, data = d, test = "knha", tau2 = f$tau2)
    for (q in c("tau2", "I2", "QE", "QEp")) add(case, q, f[[q]])
    for (q in c("beta", "se")) add(case, q, f[[q]]); for (q in c("se", "ci.lb", "ci.ub")) add(case, paste0("knha_", q), h[[q]])
    b <- if (f$tau2 > 0) blup(f) else NULL; for (i in seq_along(b$pred)) add(case, paste0("blup", i), b$pred[i]) }
  # sampling errors that go together (correlation 0.3 between every two)
  if (name != "alike") { V <- outer(d$se, d$se) * (0.3 + 0.7 * diag(nrow(d))); g <- rma.mv(y, V, random = ~ 1 | id, data = d, control = list(rel.tol = 1e-9, optimizer = "nlminb"))
  add(paste0(name, "_joint"), "tau2", g$sigma2); add(paste0(name, "_joint"), "beta", g$beta); add(paste0(name, "_joint"), "se", g$se); add(paste0(name, "_joint"), "QE", g$QE) }
  k <- nrow(d); s <- sqrt((k - 1) * sum(w) / (sum(w)^2 - sum(w^2)))            # typical standard error (Higgins and Thompson 2002)
  priors <- list(half_cauchy = function(t) dhalfcauchy(t, scale = s), half_normal = function(t) dhalfnormal(t, scale = s), flat = "uniform")
  for (p in names(priors)) { b <- bayesmeta(y = d$y, sigma = d$se, tau.prior = priors[[p]], interval.type = "central", delta = 1e-3, epsilon = 1e-5); case <- paste(name, p, sep = "_")
    add(case, "scale", s)
    for (q in c("median", "mean", "95% lower", "95% upper")) for (v in c("tau", "mu", "theta")) { if (v == "theta" && q == "mean") next; add(case, paste(v, sub("95% ", "", q)), b$summary[q, v]) }
    for (i in 1:k) for (q in c("median", "mean", "95% lower", "95% upper")) add(case, paste0("area", i, " ", sub("95% ", "", q)), b$theta[q, i]) } }
data <- do.call(rbind, lapply(names(sets), function(n) data.frame(case = n, sets[[n]])))
data$y <- sprintf("%.15g", data$y); data$se <- sprintf("%.15g", data$se)
write.csv(data, file.path(here, "pooling_data.csv"), row.names = FALSE, quote = FALSE, eol = "\n")
write.csv(do.call(rbind, rows), file.path(here, "pooling.csv"), row.names = FALSE, quote = FALSE, eol = "\n")
