# Golden numbers for group-time effects. R 4.2.2; did 2.5.0 (tag v2.5, bcallaway11/did),
# DRDID 1.0.6 (tag v1.0.6, pedrohcgs/DRDID), BMisc 1.4.8, trust 0.1.8, data.table 1.14.8.
# did was built without fastglm and dreamerr (its check of overlap fits by stats::glm.fit instead;
# arguments are matched only in its fast mode, which is off here), BMisc without caret, which serves
# a function that is not called.
# R_LIBS=... Rscript tests/golden/make_group_time_golden.R   (from the project; half a minute)
suppressMessages(library(did))
here <- "tests/golden/"
set.seed(20260)

# ---------------------------------------------------------------- data of our own
units <- 460
times <- 2011:2016
first <- sample(c(0, 2011, 2013, 2014, 2016, 2018), units, TRUE, c(.32, .03, .2, .2, .2, .05))
x1 <- round(rnorm(units) + 0.3 * (first == 2013) - 0.2 * (first == 2016), 3)
x2 <- rbinom(units, 1, 0.4 + 0.15 * (first == 2014))
area <- sample(1:40, units, TRUE)
weight <- round(runif(units, 0.5, 2), 3)
own <- rnorm(units)
shared <- matrix(rnorm(40 * 6, sd = 0.4), 40)
y <- sapply(seq_along(times), function(k) {
  treated <- first > 0 & first <= times[k]
  own + 0.3 * k + 0.25 * k * x1 + 0.2 * k * x2 + shared[area, k] + rnorm(units) +
    treated * (0.5 + 0.3 * (times[k] - first))
})
wide <- data.frame(unit = seq_len(units), first = ifelse(first == 0, NA, first),
                   x1, x2, area, weight, round(y, 4))
names(wide)[7:12] <- paste0("y", times)
write.csv(wide, paste0(here, "group_time_panel.csv"), row.names = FALSE, na = "")
rows <- 1500
at <- sample(times, rows, TRUE)
gs <- sample(c(0, 2013, 2014, 2016), rows, TRUE, c(.4, .2, .2, .2))
z1 <- round(rnorm(rows) + 0.3 * (gs == 2013), 3)
z2 <- rbinom(rows, 1, 0.4 + 0.15 * (gs == 2014))
spot <- sample(1:40, rows, TRUE)
cross <- data.frame(row = seq_len(rows), time = at, first = ifelse(gs == 0, NA, gs),
                    x1 = z1, x2 = z2, area = spot, weight = round(runif(rows, 0.5, 2), 3))
cross$y <- round(0.3 * at + 0.25 * (at - 2010) * z1 + 0.2 * z2 + rnorm(rows) - 600 +
                 0.3 * rnorm(40)[spot] + (gs > 0 & gs <= at) * (0.5 + 0.3 * (at - gs)), 4)
write.csv(cross, paste0(here, "group_time_cross.csv"), row.names = FALSE, na = "")

# ---------------------------------------------------------------- cases
wide$first[is.na(wide$first)] <- 0
cross$first[is.na(cross$first)] <- 0
long <- reshape(wide, direction = "long", varying = paste0("y", times), v.names = "y",
                timevar = "time", times = times, idvar = "unit")
gaps <- long[(long$unit * 7 + long$time * 3) %% 11 != 0, ]
# Without those treated from the start: with them did drops the last group too, its only comparison.
never <- function(data) data[data$first > 2011 & data$first <= 2016, ]
covariates <- ~ x1 + x2
out <- list()
add <- function(...) out[[length(out) + 1]] <<- data.frame(...)

case <- function(name, data, kind = "panel", cov = TRUE, control = "notyettreated", method = "dr",
                 base = "varying", anticipation = 0, cluster = NULL, weights = NULL, draws = 0) {
  run <- function(bootstrap) suppressWarnings(suppressMessages(att_gt(
    "y", "time", if (kind == "cross") NULL else "unit", "first", if (cov) covariates else NULL,
    data, panel = kind != "cross", allow_unbalanced_panel = kind == "gaps",
    control_group = control, anticipation = anticipation, weightsname = weights,
    bstrap = bootstrap, cband = bootstrap, biters = max(draws, 1), clustervars = cluster,
    est_method = method, base_period = base, faster_mode = FALSE, print_details = FALSE)))
  fit <- run(FALSE)
  add(case = name, of = "group_time", group = fit$group, at = fit$t, estimate = fit$att,
      std_error = fit$se)
  if (!is.null(fit$W)) add(case = name, of = "pre_trend", group = NA,
      at = sum(fit$group > fit$t & !is.na(fit$se)), estimate = as.numeric(fit$W), std_error = NA)
  agg <- function(type, of, ...) {
    made <- suppressWarnings(aggte(fit, type, ...))
    if (type != "simple")
      add(case = name, of = of, group = NA, at = made$egt, estimate = made$att.egt,
          std_error = made$se.egt)
    add(case = name, of = paste0(of, "_average"), group = NA, at = NA,
        estimate = made$overall.att, std_error = made$overall.se)
  }
  agg("simple", "overall")
  agg("dynamic", "event")
  agg("group", "group")
  agg("calendar", "calendar")
  agg("dynamic", "balanced", balance_e = 1)
  agg("dynamic", "limited", min_e = -1, max_e = 1)
  # std_error: the critical value times what bootstrapped errors are of the analytic ones.
  if (draws > 0) {
    drawn <- run(TRUE)
    add(case = name, of = "critical_group_time", group = NA, at = NA, estimate = drawn$c,
        std_error = drawn$c * mean(drawn$se / fit$se))
    event <- suppressWarnings(aggte(drawn, "dynamic"))
    plain <- suppressWarnings(aggte(fit, "dynamic"))
    add(case = name, of = "critical_event", group = NA, at = NA, estimate = event$crit.val.egt,
        std_error = event$crit.val.egt * mean(event$se.egt / plain$se.egt))
  }
}

factorial <- function(kind, data) for (cov in c(TRUE, FALSE)) for (method in c("dr", "reg", "ipw"))
  for (control in c("nevertreated", "notyettreated"))
    case(paste(kind, if (cov) "cov" else "none", method, control, sep = "-"), data, kind, cov,
         control, method)
special <- function(kind, data) {
  named <- function(what) paste(kind, what, sep = "-")
  case(named("universal"), data, kind, base = "universal")
  case(named("anticipation"), data, kind, anticipation = 1)
  case(named("anticipation-universal"), data, kind, anticipation = 1, base = "universal")
  case(named("cluster"), data, kind, cluster = "area")
  case(named("weights"), data, kind, weights = "weight")
  case(named("cluster-weights-universal"), data, kind, cluster = "area", weights = "weight",
       base = "universal", control = "nevertreated")
  case(named("weights-reg"), data, kind, weights = "weight", method = "reg")
  case(named("weights-ipw"), data, kind, weights = "weight", method = "ipw")
  case(named("no-never"), never(data), kind)
  case(named("no-never-never"), never(data), kind, control = "nevertreated")
}

# As released: the derivatives by the regressions before treatment have the wrong sign in
# DRDID::drdid_rc (M1.pre and M3.pre enter a difference), which cancels only as samples grow.
case("cross-released", cross, "cross")
case("gaps-released", gaps, "gaps")
source <- deparse(DRDID::drdid_rc)
wrong <- grepl("M[13]\\.pre <- -base::colMeans", source)
stopifnot(sum(wrong) == 2)
source[wrong] <- sub("-base::colMeans", "base::colMeans", source[wrong])
right <- eval(parse(text = source), asNamespace("DRDID"))
assignInNamespace("drdid_rc", right, "DRDID")

factorial("panel", long)
special("panel", long)
factorial("cross", cross)
special("cross", cross)
case("gaps", gaps, "gaps")
case("gaps-cluster", gaps, "gaps", cluster = "area")
case("gaps-reg", gaps, "gaps", method = "reg")
case("gaps-ipw", gaps, "gaps", method = "ipw")
case("bands", long, draws = 20000)
case("bands-cluster", long, cluster = "area", draws = 20000)

found <- do.call(rbind, out)
found$estimate <- signif(found$estimate, 12)
found$std_error <- signif(found$std_error, 12)
path <- gzfile(paste0(here, "group_time.csv.gz"), "wb")
write.csv(found, path, row.names = FALSE, na = "", quote = FALSE)
close(path)
cat(nrow(found), "rows\n")
